// Package sinchapi is the face of the Sinch Verification API: programs written against that service, or with its
// client libraries, change a base URL and work.
//
//	POST /verification/v1/verifications                            start
//	PUT  /verification/v1/verifications/id/{id}                    report a code
//	PUT  /verification/v1/verifications/number/{endpoint}          the same, for the number's newest verification
//	GET  /verification/v1/verifications/id/{id}                    status
//	GET  /verification/v1/verifications/{method}/number/{endpoint} status of the number's newest
//	GET  /verification/v1/verifications/reference/{reference}      status of the reference's newest
//
// A request is signed ("Application"), Basic, or carries a key only ("Public"); each app has a least level. Signed
// callbacks go out to the app's URL: VerificationRequestEvent during a start, VerificationResultEvent and
// VerificationSmsDeliveredEvent behind it.
//
// Rules of this package:
//
//   - The engine decides; this package translates. Shapes, statuses and error codes are the vendor's. Every failure of
//     the engine has one row in the table of errors.go.
//   - Only "status":"SUCCESSFUL" in a 200 means approved, and only a right code that the engine consumed gets it.
//   - A wrong code is 400 with errorCode 40003, and the verification stays PENDING.
//   - What acts on a number alone (ending earlier verifications, report and status by number or reference) wants a
//     secret: with a public key anybody could do it to anybody.
//   - No input causes a status above 499; 503 says that a store cannot be reached.
//
// Where the face differs from the service on purpose, docs/sinch.md says so.
package sinchapi
