package web_test

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/web"
)

func TestHome(t *testing.T) {
	p := newPages(t)
	v := web.HomeView{
		BaseURL: "http://127.0.0.1:8080", App: "demo", SecretKey: "sk_sandbox_demo",
		SinchKey: "sinch-key", SinchSec: "sinch-secret",
	}
	got := render(t, func(w io.Writer) error { return p.Home(w, v) })
	if got.faults != nil {
		t.Error(strings.Join(got.faults, "; "))
	}
	var commands []string
	for _, e := range got.all("pre") {
		commands = append(commands, e.label)
	}
	for _, want := range []string{
		"curl -s http://127.0.0.1:8080/v1/verifications \\\n  -H 'Authorization: Bearer sk_sandbox_demo'",
		"'http://127.0.0.1:8080/dev/inbox.json?to=%2B14155550123'",
		"/v1/verifications/ID/checks",
		"-X DELETE http://127.0.0.1:8080/dev/limits",
		`-d '{"advance":"90s"}'`,
	} {
		if !slices.ContainsFunc(commands, func(c string) bool { return strings.Contains(c, want) }) {
			t.Errorf("no command holds %q; there are\n%s", want, strings.Join(commands, "\n"))
		}
	}
	for _, want := range []string{"sinch-key", "sinch-secret", "…0500", "…0509", `href="/verify"`, `href="/dev/inbox"`, `href="/docs"`} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
	v.SinchKey = ""
	if got := render(t, func(w io.Writer) error { return p.Home(w, v) }); strings.Contains(got.text, "Sinch") {
		t.Error("a face is shown that is closed")
	}
}

func TestInbox(t *testing.T) {
	p := newPages(t)
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.FixedZone("CET", 3600))
	v := web.InboxView{Messages: []web.InboxMessage{
		{ID: "msg_3", To: "+14155550123", Channel: "sms", Provider: "sandbox", Text: "<b>123456</b> is your code.\n\n@localhost #123456", Code: "123456", At: at},
		{ID: "msg_2", To: "+14155550124", Channel: "voice", Text: "Your code is 1 2 3.", Code: "123", At: at},
		{ID: "msg_1", To: "+14155550125", Channel: "carrier pigeon", Text: "coo", At: at},
	}}
	got := render(t, func(w io.Writer) error { return p.Inbox(w, v) })
	if got.faults != nil {
		t.Error(strings.Join(got.faults, "; "))
	}
	var ids, copies, times []string
	for _, e := range got.elements {
		switch {
		case e.attr["data-id"] != "":
			ids = append(ids, e.attr["data-id"])
		case e.attr["data-copy"] != "":
			copies = append(copies, e.attr["data-copy"])
		case e.name == "time":
			times = append(times, e.attr["datetime"])
		}
	}
	if want := []string{"msg_3", "msg_2", "msg_1"}; !slices.Equal(ids, want) {
		t.Errorf("messages = %v, want %v", ids, want)
	}
	if want := []string{"123456", "123"}; !slices.Equal(copies, want) {
		t.Errorf("codes to copy = %v, want %v", copies, want)
	}
	if times[0] != "2026-01-02T14:04:05Z" {
		t.Errorf("time = %q, want UTC", times[0])
	}
	for _, want := range []string{"&lt;b&gt;123456", "SMS", "Voice call", "carrier pigeon", "14:04:05"} {
		if !strings.Contains(got.text, want) {
			t.Errorf("the page does not hold %q", want)
		}
	}
}

func TestInboxEmptyAndOfOneNumber(t *testing.T) {
	p := newPages(t)
	got := render(t, func(w io.Writer) error { return p.Inbox(w, web.InboxView{To: "+1415<b>"}) })
	if got.faults != nil {
		t.Error(strings.Join(got.faults, "; "))
	}
	if len(got.all("li")) != 0 || !strings.Contains(got.text, "No messages yet") || !strings.Contains(got.text, "&#43;1415&lt;b&gt;") {
		t.Error("the empty inbox of a number does not say whose it is and that it is empty")
	}
}
