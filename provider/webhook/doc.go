// Package webhook is the provider for every vendor that takes a message by HTTP POST: it signs the request, fills the
// vendor's shape from templates, and reads the answer by a table.
//
// Requests carry the Standard Webhooks headers (https://www.standardwebhooks.com): the receiver knows that we sent
// them, when, and, by webhook-id, that a repeated one is the same message. The id is the delivery's, so a send that the
// engine repeats because an answer was lost is a duplicate that the receiver can drop.
//
// Receipts come back over a handler that demands the same signature, made with another secret: with one secret for both
// ways, whoever recorded a request of ours could hand it to us as a receipt.
//
// The package never follows redirects, uses no proxy from the environment, speaks TLS except to a loopback address (or
// where AllowHTTP says so), and reads at most 64 KiB of any answer.
package webhook
