// Package proof verifies the proofs of a Countersign instance without calling it.
//
//	keys := proof.NewKeys("https://verify.example.com")
//	verifier := proof.Verifier{Issuer: "https://verify.example.com", App: "shop", Keys: keys}
//	claims, err := verifier.Verify(ctx, token, proof.Want{Purpose: "login", Nonce: session.Nonce})
//
// A proof is a JWT. What is checked: `typ` and `alg`, the signature by a key of the instance that `kid` names, `iss`,
// `aud`, `exp`, `iat`, `purpose`, `nonce`, `txn`, and that it is no proof of a test number. What is left to the caller:
// to use each proof once, by its ID, within the same step as what the proof allows.
package proof
