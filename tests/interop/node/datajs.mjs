// datajs (OData 2), as OpenUI5 has it, or its successor ts-odatajs (OData 4), as the variant says.

import { ann, bea, load, outcome, post, print, run, scenario, url, variant } from "./peer.mjs";

const { api, batchHandler, change } = { datajs, "ts-odatajs": tsOdatajs }[variant]();

function datajs() {
  const window = { setTimeout, JSON };
  window.window = window;
  run("@openui5/sap.ui.core/src/sap/ui/thirdparty/datajs.js", window);
  return { api: window.OData, batchHandler: window.OData.batchHandler, change: "MERGE" };
}

function tsOdatajs() {
  const { oData } = load("ts-odatajs");
  return { api: oData, batchHandler: oData.batch.batchHandler, change: "PATCH" };
}

const httpClient = {
  request({ headers, body }, success, failure) {
    post(headers, body)
      .then(({ status, headers, body }) => {
        const fields = { ...headers, "Content-Type": headers["content-type"] };
        success({ requestUri: url, statusCode: status, headers: fields, body });
      })
      .catch(failure);
  },
};

const headers = { Accept: "application/json" };
const writing = { ...headers, "Content-Type": "application/json" };
const hasIds = variant === "ts-odatajs" || scenario === "refer";
const create = { requestUri: "People", method: "POST", data: ann };
const changes = {
  apply: [create, { requestUri: "People(7)", method: change, data: bea }],
  fail: [create, { requestUri: "People", method: "POST", data: bea }],
  refer: [create, { requestUri: "$1", method: change, data: { Name: "Al" } }],
}[scenario];
const data = {
  __batchRequests: [
    { requestUri: "People(7)", method: "GET", headers },
    {
      __changeRequests: changes.map((each, index) => ({
        ...each,
        headers: hasIds ? { ...writing, "Content-ID": `${index + 1}` } : writing,
      })),
    },
    { requestUri: "People", method: "GET", headers },
  ],
};

function understood({ __changeResponses, message, response, statusCode, data }) {
  if (__changeResponses) return __changeResponses.map(understood);
  return message ? outcome(response.statusCode, response.body) : outcome(statusCode, data);
}

print(
  () =>
    new Promise((resolve, reject) => {
      const request = { requestUri: url, method: "POST", data };
      const success = ({ __batchResponses }) => resolve(__batchResponses.map(understood));
      api.request(request, success, reject, batchHandler, httpClient);
    }),
);
