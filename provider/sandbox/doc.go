// Package sandbox is a vendor that reaches no phone: messages go to an inbox in memory, receipts follow a moment later,
// and numbers with certain last digits fail, each in its own way, so that an integrator can walk every path.
//
// One Sandbox is three routes' worth of vendor: First and Second carry our code, so that failing over can be seen, and
// Hosted is a vendor of its own verifications: flash calls, whose code is the caller's number, and data verification
// ("seamless"), which succeeds when its address is fetched.
//
// What fails how is one table, fateOf, and what a test asks for besides is a list of rules (Rule). Everything is bounded and lost when the process ends.
package sandbox
