// Package httpapi is the REST face and everything else that is plain HTTP: the hosted page, the sandbox's pages, the
// operations endpoints and the OpenAPI document.
//
// The face knows HTTP and no rules. A request goes one way:
//
//	Server.ServeHTTP   request id, security headers, Host, log line, recovery
//	  └ mux            routes.go is the whole API at a glance; what is in no route is a 404 or a 405
//	      └ route      key, origin, client address, limit fields                       (auth.go, cors.go, client.go, limits.go)
//	          └ handler  decode → parse into the engine's types → one call → describe  (start.go, check.go, verifications.go)
//
// Rules that hold here:
//
//   - Handlers return errors; fail in problem.go is the only place that writes a status of 400 or more for the API.
//   - There is one decoder of JSON (decode.go) and one reader of a client's address (client.go).
//   - What a client sent is never written back into a problem and never into the log.
//   - The OpenAPI document is made of the same types that the handlers decode into and encode from (openapi.go).
package httpapi
