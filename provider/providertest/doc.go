// Package providertest is the contract of a countersign.Provider as a test, against a fake carrier on real HTTP.
//
// The carrier takes messages, refuses them, keeps silent, hangs up half-way, answers with nonsense or without end, and
// posts receipts twice and out of order. A provider passes when it says of each send the truth: taken with the vendor's
// id, refused with the right class, or unknown when nobody can tell. It makes exactly one request a send, returns
// within its deadline, and names neither code nor number in an error.
//
// A provider's own test describes its vendor in a Subject and calls Run.
package providertest
