package httpapi

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// quietZone is the margin that a reader of QR codes needs, in modules (ISO/IEC 18004, 5.3.8).
const quietZone = 4

// qrCode draws a text as an SVG that needs nothing from anywhere: black on white in every colour scheme, because readers
// want it so.
func qrCode(text string) (string, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("drawing a QR code: %w", err)
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := 0; x < size; x++ {
			from := x
			for x < size && black(code.At(x, y).RGBA()) {
				x++
			}
			if run := strconv.Itoa(x - from); x > from {
				path.WriteString("M" + strconv.Itoa(quietZone+from) + " " + strconv.Itoa(quietZone+y) + "h" + run + "v1h-" + run + "z")
			}
		}
	}
	side := strconv.Itoa(size + 2*quietZone)
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + side + ` ` + side + `" width="240" height="240" shape-rendering="crispEdges" role="img" aria-label="QR code for an authenticator app">` +
		`<path fill="#fff" d="M0 0h` + side + `v` + side + `H0z"/><path d="` + path.String() + `"/></svg>`, nil
}

func black(r, _, _, _ uint32) bool { return r == 0 }
