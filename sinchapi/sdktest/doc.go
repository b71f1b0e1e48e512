// Package sdktest runs the vendor's own client library against the Sinch face. It has tests only; they need Node 20
// or newer and npm, and fetch the library's pinned version from the npm registry once.
package sdktest
