// Package oidc is the OpenID Connect face: an application sends a person here and gets back who they are. It speaks
// OpenID Connect Core 1.0 and OAuth 2.0 as RFC 9700 wants it: the authorization code flow and nothing else, exact
// redirect addresses, PKCE, `iss` in every answer to the browser (RFC 9207).
//
//	client ──▶ /oauth2/authorize ──▶ /oauth2/login ──▶ /verify (the hosted page) ──▶ /oauth2/login ──▶ client
//	                                      └── a browser that is logged in ──────────────────────────────┘
//
// The protocol itself (parameters, client authentication, id tokens) is the work of a certified library. This package
// knows the clients, binds each request to the browser that began it, and keeps codes and tokens so that each is good
// once. Logging in is the hosted page's business, sessions are countersign.Accounts'.
package oidc
