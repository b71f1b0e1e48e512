package smpp

import (
	"fmt"
	"strconv"

	"countersign"
)

// meaning is a command status: what it means for the next step, and its name in the standard.
type meaning struct {
	class countersign.FailureClass
	name  string
}

// meanings are the command statuses of SMPP 3.4, 5.1.3, that can answer a bind or a submit.
var meanings = map[uint32]meaning{
	0x01: {countersign.FailOperator, "RINVMSGLEN"},
	0x02: {countersign.FailOperator, "RINVCMDLEN"},
	0x03: {countersign.FailOperator, "RINVCMDID"},
	0x04: {countersign.FailTemporary, "RINVBNDSTS"}, // the SMSC lost our bind; the session begins anew
	0x05: {countersign.FailTemporary, "RALYBND"},    // an older session of ours is still there
	0x06: {countersign.FailOperator, "RINVPRTFLG"},
	0x07: {countersign.FailOperator, "RINVREGDLVFLG"},
	0x08: {countersign.FailTemporary, "RSYSERR"},
	0x0a: {countersign.FailOperator, "RINVSRCADR"},
	0x0b: {countersign.FailDestination, "RINVDSTADR"},
	0x0c: {countersign.FailTemporary, "RINVMSGID"},
	0x0d: {countersign.FailOperator, "RBINDFAIL"},
	0x0e: {countersign.FailOperator, "RINVPASWD"},
	0x0f: {countersign.FailOperator, "RINVSYSID"},
	0x14: {countersign.FailTemporary, "RMSGQFUL"},
	0x15: {countersign.FailOperator, "RINVSERTYP"},
	0x40: {countersign.FailOperator, "RINVDESTFLAG"},
	0x42: {countersign.FailOperator, "RINVSUBREP"},
	0x43: {countersign.FailOperator, "RINVESMCLASS"},
	0x45: {countersign.FailTemporary, "RSUBMITFAIL"},
	0x48: {countersign.FailOperator, "RINVSRCTON"},
	0x49: {countersign.FailOperator, "RINVSRCNPI"},
	0x50: {countersign.FailOperator, "RINVDSTTON"},
	0x51: {countersign.FailOperator, "RINVDSTNPI"},
	0x53: {countersign.FailOperator, "RINVSYSTYP"},
	0x54: {countersign.FailOperator, "RINVREPFLAG"},
	0x55: {countersign.FailOperator, "RINVNUMMSGS"},
	0x58: {countersign.FailTemporary, "RTHROTTLED"},
	0x61: {countersign.FailOperator, "RINVSCHED"},
	0x62: {countersign.FailOperator, "RINVEXPIRY"},
	0x63: {countersign.FailOperator, "RINVDFTMSGID"},
	0x64: {countersign.FailTemporary, "RX_T_APPN"},
	0x65: {countersign.FailOperator, "RX_P_APPN"},
	0x66: {countersign.FailOperator, "RX_R_APPN"},
	0xc0: {countersign.FailOperator, "RINVOPTPARSTREAM"},
	0xc1: {countersign.FailOperator, "ROPTPARNOTALLWD"},
	0xc2: {countersign.FailOperator, "RINVPARLEN"},
	0xc3: {countersign.FailOperator, "RMISSINGOPTPARAM"},
	0xc4: {countersign.FailOperator, "RINVOPTPARAMVAL"},
	0xfe: {countersign.FailTemporary, "RDELIVERYFAILURE"},
	0xff: {countersign.FailTemporary, "RUNKNOWNERR"},
}

// meaningOf reads a status that is not 0. The operator's own table goes first; what is in neither was refused, and
// another vendor may take it.
func (p *Provider) meaningOf(status uint32) (countersign.FailureClass, string) {
	m, known := meanings[status]
	detail := fmt.Sprintf("0x%02x", status)
	if known {
		detail += " " + m.name
	}
	if class, ok := p.classes[status]; ok {
		return class, detail
	}
	return m.class, detail // FailTemporary where it is not known
}

func compileClasses(names map[string]string) map[uint32]countersign.FailureClass {
	classes := make(map[uint32]countersign.FailureClass, len(names))
	for code, name := range names {
		n, err := strconv.ParseUint(code, 0, 32)
		class, ok := classNamed(name)
		if err == nil && ok {
			classes[uint32(n)] = class
		}
	}
	return classes
}
