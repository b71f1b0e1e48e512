package main

import (
	"maps"
	"net/http"
	"slices"

	"countersign/twilioapi"
)

// mountTwilio opens the Twilio face for the apps that have credentials.
func (g *generation) mountTwilio(mounts map[string]http.Handler) error {
	var apps []twilioapi.App
	for _, id := range slices.Sorted(maps.Keys(g.cfg.Apps)) {
		if a := g.cfg.Apps[id].Twilio; a.Account != "" {
			apps = append(apps, twilioapi.App{
				App: g.apps.byID[id], Account: a.Account, Token: a.Token, Service: a.Service, HideEnded: a.HideEnded,
			})
		}
	}
	if len(apps) == 0 {
		return nil
	}
	face, err := twilioapi.New(twilioapi.Config{
		Engine: g.verifier, Objects: g.i.db.FaceObjects(), Keys: g.i.db.Ring, Apps: apps, BaseURL: g.cfg.PublicURL,
		Now: g.i.store.Now, Log: g.i.log,
	})
	if err != nil {
		return err
	}
	for _, prefix := range twilioapi.Prefixes {
		mounts[prefix] = face
	}
	return nil
}
