/**
 * Commands and queries over HTTP: routes by convention, problems in JSON, a description of the API.
 *
 * @since 0.1.0
 */
export * as ApiClient from "./ApiClient.ts"
export * as ApiDocument from "./ApiDocument.ts"
export * as Description from "./Description.ts"
export * as Endpoint from "./Endpoint.ts"
export * as Http from "./Http.ts"
export * as HttpError from "./HttpError.ts"
export * as HttpServing from "./HttpServing.ts"
export * as Problem from "./Problem.ts"
