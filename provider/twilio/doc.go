// Package twilio carries codes through Twilio.
//
//   - Messaging is a plain countersign.Provider over the Programmable Messaging API: our whole text by SMS, or our code in
//     a registered template by WhatsApp, with delivery reports and replies (STOP).
//   - Verify is a countersign.HostedProvider over Verify v2: the vendor makes, sends and checks the code, and keeps its own
//     fraud protection around it. Channels sms, voice and whatsapp.
//
// Rules of this package:
//
//   - A start whose answer was lost is looked up before another one: each costs money.
//   - A guess is reported once. When that answer is lost, the engine asks Status. The vendor forgets a verification that
//     was approved (404), so Status reads its log of attempts, which says whether one was converted.
//   - A callback approves nothing, and is believed only with a true signature over the address and the form as received.
//   - The vendor's free texts go nowhere: they quote numbers. A failure's detail is made of its code alone.
package twilio
