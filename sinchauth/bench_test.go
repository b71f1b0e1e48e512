package sinchauth_test

import (
	"testing"

	"countersign/sinchauth"
)

func BenchmarkSign(b *testing.B) {
	s, p := mustSecret(b, dummySecret), vectors[5].parts()
	b.ReportAllocs()
	for b.Loop() {
		sinchauth.Sign(s, p)
	}
}

func BenchmarkVerify(b *testing.B) {
	v := vectors[5]
	verifier, r, body := verifierAt(b, noon, v.secret), v.request("Application"), []byte(v.body)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifier.Verify(r, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	m := sinchauth.NewMemory(1 << 30)
	var sig [32]byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		sig[0], sig[1], sig[2], sig[3] = byte(i), byte(i>>8), byte(i>>16), byte(i>>24)
		if _, err := m.Add(dummyKey, sig, noon, noon); err != nil {
			b.Fatal(err)
		}
	}
}
