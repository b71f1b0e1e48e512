// Package twilioapi is the face of Twilio Verify v2: programs written with that vendor's client libraries change a base
// URL and work.
//
//	POST     /v2/Services/{VA}/Verifications             start, or send again while one is pending: the same SID
//	GET/POST /v2/Services/{VA}/Verifications/{VE or To}  fetch; Status=canceled or approved
//	POST     /v2/Services/{VA}/VerificationCheck         check
//	*        /v2/Services…, RateLimits, Buckets          an app's services and its limits on keys of its own
//	GET      /v2/Attempts…, /v2/Attempts/Summary         what was sent and what came of it, from the log
//	*        /v2/SafeList/Numbers…                       numbers that the app keeps
//
// Rules of this package:
//
//   - The engine decides; this package translates. Every failure of the engine has one row in the table of errors.go.
//   - Only "status":"approved" with "valid":true in a 200 means that the code was right.
//   - A wrong code is a 200 with "valid":false, as the vendor has it: five times, then 60202.
//   - A SID is a verification's own id under a key of its app and service: it needs no table, and one that was made up, or
//     belongs to somebody else, is the id of nothing.
//   - No input causes a status above 499; 503 says that a store cannot be reached.
//
// Where the face differs from the service on purpose, docs/twilio.md says so.
package twilioapi
