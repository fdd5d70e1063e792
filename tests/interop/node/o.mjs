// o.js: OData 4. The variant "change set" has one, before all queries. In "lost" there is one query.

import { ann, bea, load, outcome, print, root, scenario, variant } from "./peer.mjs";

const { o } = load("odata");

// What is not said of `batch` is "undefined" in the message, and `headers` have to be of this class.
const batch = {
  boundaryPrefix: "batch_",
  changsetBoundaryPrefix: "changset_",
  endpoint: "$batch",
  headers: new Headers(),
  useChangset: variant === "change set",
  useRelativeURLs: true,
};
const people = o(root, { batch }).get("People(7)").post("People", ann);
if (scenario === "fail") people.post("People", bea);
else people.patch("People(7)", bea);
if (scenario !== "lost") people.get("People");

const understood = (response) =>
  Array.isArray(response)
    ? response.map(understood)
    : { ...outcome(response.status, response.body), id: response.contentId };

print(async () => {
  try {
    return (await people.batch()).map(understood);
  } catch (response) {
    return { status: response.status };
  }
});
