package webhook_test

import (
	"os"
	"strings"
	"testing"

	"countersign/provider/providertest"
	"countersign/provider/webhook"
)

// TestTheDocumentedExamples: the bodies of docs/providers/webhook.md are accepted and make what the page says.
func TestTheDocumentedExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/providers/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		`"to={{to|digits}}&from={{sender|urlquery}}&text={{text|urlquery}}&ref={{verification}}"`:                "to=14155550101&from=ACME&text=Demo%3A+741853+is+your+code.&ref=" + providertest.NewMessage(1).Verification,
		`'{"messages":[{"destinations":[{"to":"{{to|digits}}"}],"from":{{sender|json}},"text":{{text|json}}}]}'`: `{"messages":[{"destinations":[{"to":"14155550101"}],"from":"ACME","text":"Demo: 741853 is your code."}]}`,
	}
	bodies := 0
	for line := range strings.Lines(string(page)) {
		text, found := strings.CutPrefix(strings.TrimSpace(line), "body: ")
		if !found {
			continue
		}
		if body := text[1 : len(text)-1]; !strings.Contains(body, "{{text") {
			documentedHosted(t, body)
			continue
		}
		bodies++
		cfg := bare()
		cfg.Body = text[1 : len(text)-1]
		if strings.HasPrefix(cfg.Body, "to=") {
			cfg.ContentType = "application/x-www-form-urlencoded"
		}
		got, _, err := send(t, cfg, answer(200, ""), providertest.NewMessage(1))
		if err != nil || string(got.Body) != want[text] {
			t.Errorf("%s\nmakes %s, %v\nwant  %s", text, got.Body, err, want[text])
		}
	}
	if bodies != len(want) {
		t.Errorf("the page has %d bodies, want %d", bodies, len(want))
	}
	for _, name := range []string{webhook.HeaderID, webhook.HeaderTimestamp, webhook.HeaderSignature} {
		if !strings.Contains(string(page), name) {
			t.Errorf("the page does not name %s", name)
		}
	}
}

// documentedHosted: the bodies for a vendor that makes the code are accepted at their places.
func documentedHosted(t *testing.T, body string) {
	t.Helper()
	cfg := hostedConfig("https://verify.vendor.example")
	if strings.Contains(body, "{{guess") {
		cfg.Hosted.Report.Body = body
	} else {
		cfg.Body = body
	}
	if err := cfg.Validate(); err != nil {
		t.Errorf("%s: %v", body, err)
	}
}
