// Package vonage sends through Vonage: Verify (v2), whose codes are the vendor's own, and the Messages API, which carries
// ours by SMS.
//
// Neither API can be asked what became of a request whose answer was lost. Verify holds one open verification a number and
// names it when it refuses another, so a start that is repeated is found by that; a message is not sent again under the
// same id. A guess goes out at most once, and nothing is approved but by its own answer.
//
// Callbacks are believed for a JWT that the account's signature secret signs, and that names the hash of the body.
package vonage
