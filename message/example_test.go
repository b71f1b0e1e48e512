package message_test

import (
	"fmt"
	"time"

	"countersign"
	"countersign/message"
)

func ExampleNew() {
	texts, err := message.New(message.Options{
		Name:   "Acme",
		Origin: "login.acme.example",
		Overrides: []message.Override{{
			Purpose: countersign.PurposeLogin, Channel: countersign.ChannelSMS, Locale: "nl",
			Body: "{{code}} is je code voor {{app}}. Geef hem aan niemand.",
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, locale := range []string{"nl-BE", "de-AT"} {
		m, err := texts.Render(countersign.Text{
			Channel: countersign.ChannelSMS, Purpose: countersign.PurposeLogin, Locale: locale,
			Code: "123456", Lifetime: 5 * time.Minute,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Body)
		fmt.Println(message.Segments(m.Body).Segments, "segment")
	}
	// Output:
	// 123456 is je code voor Acme. Geef hem aan niemand.
	//
	// @login.acme.example #123456
	// 1 segment
	// 123456 ist Ihr Code zur Anmeldung bei Acme. Nicht weitergeben.
	//
	// @login.acme.example #123456
	// 1 segment
}
