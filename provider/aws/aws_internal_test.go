package aws

import (
	"net/http"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestSignatures are vectors of AWS' published Signature Version 4 test suite (aws-sig-v4-test-suite: get-vanilla,
// post-vanilla).
func TestSignatures(t *testing.T) {
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	keys := credentials{id: "AKIDEXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
	for method, want := range map[string]string{
		http.MethodGet:  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		http.MethodPost: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
	} {
		r, err := http.NewRequest(method, "https://example.amazonaws.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := sign(r, v4.NewSigner(), keys, nil, "service", "us-east-1", at); err != nil {
			t.Fatal(err)
		}
		full := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=" + want
		if got := r.Header.Get("Authorization"); got != full {
			t.Errorf("%s: %s", method, got)
		}
	}
}

func TestEventCosts(t *testing.T) {
	for more, want := range map[string]int64{
		`,"totalMessageParts":1,"totalMessagePrice":0.00581,"totalCarrierFee":0.003`: 8810,
		`,"totalMessagePrice":9.582e-2,"totalCarrierFee":0.0`:                        95_820,
		`,"totalMessagePrice":0.01`:                                                  10_000,
		`,"totalCarrierFee":0.01`:                                                    0,
		``:                                                                           0,
	} {
		r, ok := parseEvent(`{"eventType":"TEXT_DELIVERED","messageId":"m","context":{"verification":"ver_a","delivery":"msg_a"}` + more + `}`)
		if !ok || r.Cost.Micros != want || (r.Cost.Currency == "USD") != (want > 0) {
			t.Errorf("%s: %+v, %v; want %d", more, r, ok, want)
		}
	}
}

func FuzzEvent(f *testing.F) {
	f.Add(`{"eventType":"TEXT_DELIVERED","messageId":"m","context":{"verification":"ver_a","delivery":"msg_a"}}`)
	f.Add(`{"eventType":"TEXT_DELIVERED","context":[]}`)
	f.Add(`"x"`)
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseEvent(text)
		if ok && (r.ID == "" || r.Status == "" || len(r.Detail) > 64) {
			t.Errorf("%q is read as %+v", text, r)
		}
	})
}
