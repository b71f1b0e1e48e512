package challenge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"countersign"
)

// Solve does the work of a challenge and returns the response. false when no number in its range is the answer.
func Solve(c *countersign.Challenge) (string, bool) {
	want, err := hex.DecodeString(c.Challenge)
	if err != nil || len(want) != sha256.Size {
		return "", false
	}
	text := []byte(c.Salt)
	for number := uint64(0); number <= uint64(max(c.MaxNumber, 0)); number++ {
		if sha256.Sum256(strconv.AppendUint(text, number, 10)) != [sha256.Size]byte(want) {
			continue
		}
		plain, err := json.Marshal(response{c.Algorithm, c.Challenge, number, c.Salt, c.Signature})
		return base64.StdEncoding.EncodeToString(plain), err == nil
	}
	return "", false
}
