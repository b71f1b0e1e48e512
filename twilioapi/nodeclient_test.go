package twilioapi_test

import (
	"testing"

	"countersign/nodetest"
)

func TestVendorNodeClient(t *testing.T) {
	n := newNode(t, nil)
	nodetest.Script(t, "sdktest", "sdk.test.mjs", "FACE_URL="+n.url, "ACCOUNT="+account, "TOKEN="+token, "SERVICE="+service, "TWILIO_EDGE=", "TWILIO_REGION=")
}
