package outbound_test

import (
	"testing"

	"countersign/provider/outbound"
)

func TestCheckAddress(t *testing.T) {
	for text, fine := range map[string]bool{
		"": true, "https://api.example.com": true, "https://api.example.com:8443/v1": true, "http://localhost:8080": true,
		"http://127.0.0.1:1": true, "http://127.8.8.8": true, "http://[::1]:8080/x": true,
		"http://api.example.com": false, "http://10.0.0.1": false, "http://[2001:db8::1]": false,
		"http://127.0.0.1.example.com": false, "http://127.example.com": false, // a stranger's name that begins like this machine
		"ftp://localhost": false, "localhost:8080": false, "https://": false, "https://:443": false, "//localhost": false,
		"https://user:secret@api.example.com": false, "https://api.example.com/?a=b": false, "https://api.example.com/#x": false,
	} {
		if err := outbound.CheckAddress("base_url", text); (err == nil) != fine {
			t.Errorf("CheckAddress(%q) = %v, want fine %t", text, err, fine)
		}
	}
}
