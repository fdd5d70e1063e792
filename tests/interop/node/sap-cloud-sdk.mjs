// SAP Cloud SDK, with classes like those that its generator writes; the variant is "v2" or "v4".

import { ann, bea, load, outcome, print, root, scenario, variant } from "./peer.mjs";

const sdk = load(`@sap-cloud-sdk/odata-${variant}`);
const common = load("@sap-cloud-sdk/odata-common");
const service = new URL(root);
load("@sap-cloud-sdk/util").muteLoggers();

class Person extends sdk.Entity {
  static _entityName = "People";
  static _defaultBasePath = service.pathname.replace(/\/$/, "");
  static _keys = ["Id"];
}

const fields = new common.FieldBuilder(Person, sdk.defaultDeSerializers);
const api = {
  deSerializers: sdk.defaultDeSerializers,
  entityConstructor: Person,
  schema: {
    ID: fields.buildEdmTypeField("Id", "Edm.Int32", false),
    NAME: fields.buildEdmTypeField("Name", "Edm.String", true),
    ALL_FIELDS: new common.AllFields("*", Person),
  },
};
const person = ({ Id, Name }) => common.entityBuilder(api).fromJson({ id: Id, name: Name });

const create = new sdk.CreateRequestBuilder(api, person(ann));
const changes = {
  apply: [create, new sdk.UpdateRequestBuilder(api, person(bea))],
  fail: [create, new sdk.CreateRequestBuilder(api, person(bea))],
}[scenario];
const batch = new sdk.ODataBatchRequestBuilder(Person._defaultBasePath, [
  new sdk.GetByKeyRequestBuilder(api, { Id: 7 }),
  new sdk.BatchChangeSet(changes),
  new sdk.GetAllRequestBuilder(api),
]);

function understood(response) {
  if (response.isWriteResponses()) return response.responses.map(written);
  return response.isSuccess() ? read(response) : written(response);
}

const written = ({ httpCode, body }) => outcome(httpCode, body);

function read(response) {
  const people = response.as(api).map(({ id, name }) => ({ Id: id, Name: name }));
  return outcome(response.httpCode, isCollection(response) ? people : people[0]);
}

const isCollection = ({ body }) => Array.isArray(body.value ?? body.d?.results);

print(async () => {
  const answer = await batch.skipCsrfTokenFetching().execute({ url: service.origin });
  return answer.map(understood);
});
