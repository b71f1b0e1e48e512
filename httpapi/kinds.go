package httpapi

import "countersign"

// kindRow is how a kind of failure looks from outside.
type kindRow struct {
	status  int
	title   string
	meaning string // for whoever follows the problem's type
}

// kinds is the one table of failures. A kind without a row is answered as a fault of ours.
var kinds = map[countersign.Kind]kindRow{
	countersign.ErrInvalidRequest:        {400, "Invalid request", "The body or the query is malformed, has an unknown or doubled member, or a value of a wrong type. `errors` points at it."},
	countersign.ErrInvalidPhoneNumber:    {400, "Invalid phone number", "This cannot be dialled. Send the number with its country code, as in +46701740615, or say the region."},
	countersign.ErrInvalidEmail:          {400, "Invalid e-mail address", "This is not an address of the form name@example.com."},
	countersign.ErrInvalidCode:           {400, "Invalid code", "This does not have the shape of a code. It was not compared and not counted."},
	countersign.ErrUnauthorized:          {401, "Unauthorized", "The header Authorization has no key, or none that is valid here. Keys are never taken from an address."},
	countersign.ErrSessionRevoked:        {401, "Session ended", "The session was ended, ran out, or an old refresh token of it was used. Log in again."},
	countersign.ErrFactorRequired:        {403, "Factor required", "The user has a further factor, and this takes it: a text message alone is not enough."},
	countersign.ErrStepUpRequired:        {403, "Step-up required", "This takes a further factor that was shown in this session within the last five minutes. Show one at POST /v1/sessions/step-up, then try again."},
	countersign.ErrForbidden:             {403, "Forbidden", "This key may not do that, or not from this origin."},
	countersign.ErrNumberNotAllowed:      {403, "Number not allowed", "The operator's policy does not serve numbers of this country, kind or range."},
	countersign.ErrOptedOut:              {403, "Opted out", "The person answered STOP to messages of this sender. Only they can take it back, by texting START."},
	countersign.ErrNotFound:              {404, "Not found", "There is no such thing for this app."},
	countersign.ErrMethodNotAllowed:      {405, "Method not allowed", "The header Allow lists the methods of this address."},
	countersign.ErrVerificationClosed:    {409, "Verification closed", "The verification was approved, canceled, denied or used up before. Start a new one."},
	countersign.ErrProofRedeemed:         {409, "Proof redeemed", "A proof makes one session, once. Verify the phone again."},
	countersign.ErrFactorExists:          {409, "Factor exists", "This passkey is registered already, or there are as many factors as there can be."},
	countersign.ErrNumberTaken:           {409, "Number taken", "Another user of this app holds the number. Two users are never made one."},
	countersign.ErrIdempotencyInProgress: {409, "Request in progress", "The first request with this Idempotency-Key still runs. Repeat it in a moment."},
	countersign.ErrCeremonyOver:          {410, "Ceremony over", "The passkey ceremony was used before, took longer than five minutes, or was begun for something else. Ask for options again."},
	countersign.ErrVerificationExpired:   {410, "Verification expired", "The code's time ran out. Start a new verification."},
	countersign.ErrPayloadTooLarge:       {413, "Payload too large", "A body has at most 4096 bytes."},
	countersign.ErrUnsupportedMediaType:  {415, "Unsupported media type", "A body is sent as application/json, in UTF-8 and not compressed."},
	countersign.ErrMisdirected:           {421, "Misdirected request", "The request was meant for another host. The sandbox answers to loopback names only."},
	countersign.ErrIncorrectCode:         {422, "Incorrect code", "The code is wrong. `checks_left` says how many guesses remain."},
	countersign.ErrPasskeyUnknown:        {422, "Passkey unknown", "There is no such passkey for this app, or not any more. A page may tell the device so with PublicKeyCredential.signalUnknownCredential."},
	countersign.ErrPasskeyRefused:        {422, "Passkey refused", "The passkey's answer does not verify: it was made on another site, for another ceremony, without unlocking the device, or its counter went back."},
	countersign.ErrProofNotForLogin:      {422, "Proof not for login", "Only a proof of a phone, of purpose signup or login, makes a session; one of a test number only where the app allows it."},
	countersign.ErrIdempotencyMismatch:   {422, "Idempotency key reused", "This Idempotency-Key belongs to another request. Take a new key for a new request."},
	countersign.ErrChallengeRequired:     {428, "Challenge required", "A proof of work is wanted first. Solve `challenge` and send the same request again with the solution in `challenge_response`, or wait `retry_after` seconds."},
	countersign.ErrTooManyChecks:         {429, "Too many checks", "The phone's guesses are used up. Wait where `retry_after` says so; otherwise the operator must lift the lock."},
	countersign.ErrResendTooSoon:         {429, "Resend too soon", "A message went to this phone a moment ago."},
	countersign.ErrTooManySends:          {429, "Too many sends", "Too many messages went to this phone."},
	countersign.ErrRateLimited:           {429, "Rate limited", "Too many requests."},
	countersign.ErrInternal:              {500, "Internal error", "A fault of ours. Quote the request id to the operator."},
	countersign.ErrDeliveryFailed:        {502, "Delivery failed", "Every route refused the message. Try another channel, or later."},
	countersign.ErrUnavailable:           {503, "Unavailable", "A part that is needed cannot be reached. Nothing was approved by this answer."},
}
