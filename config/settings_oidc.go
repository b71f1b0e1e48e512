package config

import (
	"fmt"
)

// OIDCClient is what the file says of an application that logs people in through OpenID Connect.
type OIDCClient struct {
	App        string
	Name       string
	Secret     string
	Public     bool
	Redirects  []string
	Logouts    []string
	ThirdParty bool
}

func oidcSettings() []Setting {
	return []Setting{
		{Path: "oidc.clients.*.app", Doc: "An application that logs people in through OpenID Connect (docs/oidc.md), by its client id: the app whose users it gets. That app needs `hosted_page: true`.", set: ofClient(func(c *OIDCClient) *string { return &c.App }, anyText)},
		{Path: "oidc.clients.*.secret", Secret: true, Doc: "Its secret, 8 characters or more.", set: ofClient(func(c *OIDCClient) *string { return &c.Secret }, anyText)},
		{Path: "oidc.clients.*.public", Doc: "It has no secret: an app on a phone, or a page without a server. PKCE is then required.", set: ofClient(func(c *OIDCClient) *bool { return &c.Public }, yesOrNo)},
		{List: true, Path: "oidc.clients.*.redirect_uris", Doc: "Where people are sent back to; compared exactly.", set: ofClient(func(c *OIDCClient) *[]string { return &c.Redirects }, webURLs)},
		{List: true, Path: "oidc.clients.*.post_logout_redirect_uris", Doc: "Where people are sent after log-out; compared exactly.", set: ofClient(func(c *OIDCClient) *[]string { return &c.Logouts }, webURLs)},
		{Path: "oidc.clients.*.third_party", Doc: "It is not the operator's own: people are asked whether it may know their number.", set: ofClient(func(c *OIDCClient) *bool { return &c.ThirdParty }, yesOrNo)},
		{Path: "oidc.clients.*.name", Doc: "What people are told when they are asked. By default its id.", set: ofClient(func(c *OIDCClient) *string { return &c.Name }, anyText)},
	}
}

func ofClient[T any](field func(*OIDCClient) *T, parse func(string) (T, error)) func(*Config, []string, value) error {
	return func(c *Config, names []string, v value) error {
		if !validName(names[0]) {
			return fmt.Errorf("a client's id has 1 to 32 of a-z, 0-9, - and _")
		}
		if c.OIDCClients == nil {
			c.OIDCClients = map[string]*OIDCClient{}
		}
		client := c.OIDCClients[names[0]]
		if client == nil {
			client = &OIDCClient{}
			c.OIDCClients[names[0]] = client
		}
		t, err := parse(v.text())
		if err != nil {
			return err
		}
		*field(client) = t
		return nil
	}
}
