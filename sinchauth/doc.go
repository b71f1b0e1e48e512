// Package sinchauth signs and verifies requests and callbacks the way the Sinch Verification API does.
//
// A signed request carries
//
//	Authorization: Application KEY:SIGNATURE
//	x-timestamp: 2026-01-02T03:04:05.678Z
//
// where SIGNATURE is base64(HMAC-SHA256(base64-decoded secret, string to sign)) and the string to sign is five lines
// joined by LF: the method, base64(MD5(body)) or nothing, the Content-Type exactly as sent or nothing,
// "x-timestamp:" and its value, and the path. Callbacks are signed alike, over the path of the receiver.
//
// Rules of this package:
//
//   - Signatures are compared in constant time and over the bytes as received: whoever verifies hands in the raw body.
//   - A timestamp more than Window from now is refused, and a signature is good once within that time. The vendor's
//     libraries check neither.
//   - The vendor's libraries disagree about the escaping of the path, so both spellings are accepted. That widens
//     nothing: both name the same resource.
//   - Secrets print as "(secret)".
//
// Basic and Public (a key without a signature) are recognised; whether they suffice is the caller's decision, by Level.
package sinchauth
