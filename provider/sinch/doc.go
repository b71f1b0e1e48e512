// Package sinch carries codes through Sinch: its Verification API and its SMS API.
//
//   - Verification is a countersign.HostedProvider: the vendor makes, sends and checks the code. Channels sms, voice
//     (a callout), flashcall, whatsapp and seamless.
//   - OwnCode is a plain countersign.Provider over the same API: the vendor asks our callback for the code and sends
//     ours. Channels sms and voice. Approvals are reported to the vendor, or it would count them as failures.
//   - SMS is a plain provider over the SMS API: our whole text, with delivery reports and replies (STOP).
//
// Rules of this package:
//
//   - A start is never repeated blindly: each costs money and ends the one before. When its answer is lost, Send says
//     so, and a later Send looks it up by our reference first.
//   - A guess is reported once. When that answer is lost, the engine asks Status.
//   - A callback approves nothing. It is believed only with a true and fresh signature (or, for SMS, the secret part of
//     its path), over the bytes as received.
//   - The vendor's free texts go nowhere: they quote numbers. A failure's detail is made of its code alone.
//   - What meets a code: the vendor's errors are classified in one table, classes.go.
package sinch
