// Package client calls the API of a Countersign instance from Go. It needs nothing but the standard library.
//
//	c, err := client.New(client.Config{URL: "https://verify.example.com", Key: os.Getenv("COUNTERSIGN_KEY")})
//	v, err := c.Start(ctx, &client.StartRequest{To: "+14155550123", Purpose: client.PurposeLogin})
//	// … the person types the code …
//	v, err = c.Check(ctx, v.ID, &client.CheckRequest{Code: code})
//	if errors.Is(err, client.ErrIncorrectCode) { … }
//
// The rules it keeps:
//
//   - Every refusal is a *Problem, whose Code never changes; errors.Is compares with the codes of this package.
//   - A wrong code is an error. There is no answer without error that means anything but what the call is named for.
//   - Every call that sends something carries an Idempotency-Key, the caller's or a random one, so that a repeat sends
//     nothing twice. Only then, and only where no answer came or the answer says that nothing was done, is a call
//     repeated. A check is repeated only where it cannot have reached the server: guesses are counted.
//   - Redirects are not followed: the API has none, and the key goes to nobody else.
//
// Every operation of the OpenAPI document has a method. Calls of a person take their access token, or go by Client.As or
// Client.WithCookies. Proofs are verified by package client/proof, without a call.
package client
