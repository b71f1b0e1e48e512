package sinchauth_test

import (
	"net/http"
	"strings"
	"testing"

	"countersign/sinchauth"
)

// The dummy application of these tests.
const (
	dummyKey    = "11111111-2222-3333-4444-555555555555"
	dummySecret = "ZHVtbXktc2VjcmV0LWZvci1kb2NzLTAxMjM0NTY3ODk="
)

// vector is one worked example: published by the vendor, from its libraries' tests, or computed independently.
type vector struct {
	name        string
	secret      string
	method      string
	path        string
	contentType string
	timestamp   string
	body        string
	signature   string
}

const (
	identityBody = `{"identity":{"type":"number","endpoint":"+12025550134"},"method":"sms"}`
	expiredBody  = `{"id":"018c25e1-7163-5677-b8fb-467d7b1cffa5","event":"VerificationResultEvent","method":"sms",` +
		`"identity":{"verified":false,"type":"number","endpoint":"+33628254417"},"status":"FAIL","reason":"Expired"}`
	requestEventBody = `{"id":"018c0000-0000-7000-8000-000000000001","event":"VerificationRequestEvent","method":"sms",` +
		`"identity":{"type":"number","endpoint":"+12025550134"},"price":{"currencyId":"USD","amount":0.0308},"rate":{"currencyId":"USD","amount":0.0}}`
	aceBody = `{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257","timestamp":"2014-09-24T10:59:41Z","version":1}`
	byID    = "/verification/v1/verifications/id/018c0000-0000-7000-8000-000000000001"
)

var vectors = []vector{
	{
		"published request", "JViE5vDor0Sw3WllZka15Q==", "POST", "/v1/sms/+46700000000", "application/json",
		"2014-06-04T13:41:58Z", `{"message":"Hello world"}`, "qDXMwzfaxCRS849c/2R0hg0nphgdHciTo7OdM6MsdnM=",
	},
	{
		"published callback", "BeIukql3pTKJ8RGL5zo0DA==", "POST", "/sinch/callback/ace", "application/json",
		"2014-09-24T10:59:41Z", aceBody, "Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
	},
	{
		"Java callback, secret without padding", "9876543210", "POST", "/VerificationRequestEvent", "application/json; charset=utf-8",
		"2023-12-01T15:01:20.0406449Z", expiredBody, "xfKhO0XvlRNJraahUBEJzzi1f3Fn3pYO41/ZzwOHPaQ=",
	},
	{
		"Node and Java request", "bXkta2V5LXNlY3JldA==", "POST", "/path/pathParamValue", "application/json; charset=UTF-8",
		"2023-11-22T09:10:11.999Z", `{"identity":{"type":"number","endpoint":"+33444555666"},"method":"sms"}`,
		"QP3OzQZVzRZAEev6DBLvJkgpiqyZPuXYsc7oyjUV0K8=",
	},
	{
		"Node GET", "bXkta2V5LXNlY3JldA==", "GET", "/path/pathParamValue", "application/json",
		"2023-11-22T09:10:11.999Z", "", "nsrLDvP6KVD/dAxb3IfAncdwjPFJVWSrseEFOcZge+A=",
	},
	{
		"start", dummySecret, "POST", "/verification/v1/verifications", "application/json",
		"2026-01-02T03:04:05.678Z", identityBody, "X3EIZ0oKOTtbcxWuzPZ5k0SLR+pLImc7f6aVjzaDz40=",
	},
	{
		"report by number", dummySecret, "PUT", "/verification/v1/verifications/number/+12025550134", "application/json",
		"2026-01-02T03:04:05.678Z", `{"method":"sms","sms":{"code":"1234"}}`, "RCtY2954+2KOYoKRNzdy/ACdPSioSkPvzw523Ux77CQ=",
	},
	{
		"status without Content-Type", dummySecret, "GET", byID, "",
		"2026-01-02T03:04:05.678Z", "", "KSBt+2h5lN4S1FEoc9yIoSx5rB373yqLyS3JZEPq/GU=",
	},
	{
		"status with Content-Type", dummySecret, "GET", byID, "application/json",
		"2026-01-02T03:04:05.678Z", "", "Y+aG/d33roTnyhSrINLcl3LLP4dRKfbVNdPRLX8ALns=",
	},
	{
		"callback", dummySecret, "POST", "/hooks/sinch", "application/json; charset=utf-8",
		"2024-01-19T09:19:28.9372196Z", requestEventBody, "6lZap2HukBfNo6zwcJiswnMrrqBvn7RveyplshKEJsE=",
	},
}

func mustSecret(t testing.TB, text string) sinchauth.Secret {
	t.Helper()
	s, err := sinchauth.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (v vector) parts() sinchauth.Parts {
	return sinchauth.Parts{
		Method: v.method, Body: []byte(v.body), ContentType: v.contentType, Timestamp: v.timestamp, Path: v.path,
	}
}

func TestSignVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			if got := sinchauth.Sign(mustSecret(t, v.secret), v.parts()); got != v.signature {
				t.Errorf("signature = %s, want %s", got, v.signature)
			}
		})
	}
}

func TestStringToSign(t *testing.T) {
	tests := []struct {
		vector int
		md5    string
	}{
		{0, "jANzQ+rgAHyf1MWQFSwvYw=="},
		{1, "REWF+X220L4/Gw1spXOU7g=="},
		{5, "inj9K64mbn+k7p5zSYQ/dw=="},
		{6, "badhN2/1JzlZjefhN7fd/w=="},
		{7, ""},
		{9, "P/AQbFM1qVN0+Gif4bfqJg=="},
	}
	for _, tt := range tests {
		v := vectors[tt.vector]
		t.Run(v.name, func(t *testing.T) {
			want := strings.Join([]string{v.method, tt.md5, v.contentType, "x-timestamp:" + v.timestamp, v.path}, "\n")
			if got := v.parts().StringToSign(); got != want {
				t.Errorf("string to sign = %q, want %q", got, want)
			}
		})
	}
}

func TestBasicVector(t *testing.T) {
	r, _ := http.NewRequest(http.MethodGet, "http://localhost/", nil)
	sinchauth.BasicRequest(r, sinchauth.Credentials{Key: dummyKey, Secret: mustSecret(t, dummySecret)})
	const want = "Basic MTExMTExMTEtMjIyMi0zMzMzLTQ0NDQtNTU1NTU1NTU1NTU1OlpIVnRiWGt0YzJWamNtVjBMV1p2Y2kxa2IyTnpMVEF4TWpNME5UWTNPRGs9"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("header = %s, want %s", got, want)
	}
}
