// Package countersign is a phone verification engine: it answers whether the person in front of you holds a phone
// number, right now, and hands out a proof of the answer that anyone can check.
//
// The Verifier is the engine. It knows the rules (how a code is made and compared, who may ask how often, what ends a
// verification, what a proof says) and no HTTP, no database and no vendor. What it needs of those it declares here as
// small interfaces, and other packages implement them: Store and Log (store/...), Dispatcher and Provider (provider/...),
// Guard (guard), Signer (signing), Texts (message), Observer (metrics). Faces (httpapi, sinchapi,
// twilioapi, oidc) translate protocols into its requests.
//
// Three rules explain most of what is in this package. The store decides every move in one indivisible step: nothing
// here reads, decides and writes back. No code is kept: a code is derived from a server key and from what the
// verification is. Guesses and sends belong to the phone: they are counted over all verifications, apps and channels.
package countersign
