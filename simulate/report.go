package simulate

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Table prints results for people, one line each.
func Table(w io.Writer, results []*Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "scenario\tseed\tpolicy\tattempts\tsent\trefused\tworst prefix/day\tmoney\tguesses\thonest starts\trefused\tchallenged\t")
	for _, r := range results {
		a, h := &r.Attack, &r.Honest
		fmt.Fprintf(t, "%s\t%d\t%s\t%d\t%d\t%s\t%d\t%s\t%d\t%d\t%s\t%s\t\n", r.Name, r.Seed, cmp.Or(r.Policy, "default"), a.Attempts, a.Sent,
			percent(a.Refused, a.Attempts), a.Worst, decimal(a.Money), a.Guesses, h.Starts, percent(h.Refused, h.Starts), percent(h.Challenged, h.Starts))
	}
	return t.Flush()
}

func percent(part, whole int) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f %%", 100*float64(part)/float64(whole))
}

//go:embed report.html
var reportText string

// Report writes a page that needs nothing beside it: a table, and for each attack a chart of what was tried and what went
// out.
func Report(w io.Writer, results []*Result) error {
	page, err := template.New("report").Parse(reportText)
	if err != nil {
		return fmt.Errorf("reading the report's template: %w", err)
	}
	type row struct {
		*Result
		About, PolicyName, Money, AttackRefused, HonestRefused, HonestChallenged string
		Worst, Guesses                                                           int
		Chart                                                                    *picture
	}
	about := map[string]string{}
	for _, s := range Scenarios() {
		about[s.Name] = s.About
	}
	var rows []row
	for _, r := range results {
		rows = append(rows, row{
			r, about[r.Name], cmp.Or(r.Policy, "default"), decimal(r.Attack.Money), percent(r.Attack.Refused, r.Attack.Attempts),
			percent(r.Honest.Refused, r.Honest.Starts), percent(r.Honest.Challenged, r.Honest.Starts), r.Attack.Worst, r.Attack.Guesses, r.chart.picture(),
		})
	}
	return page.Execute(w, rows)
}

// picture is a chart as it is drawn: two lines over the same axes.
type picture struct {
	Attempts, Sent string // points of a polyline
	Most           int
	Hours          []tick
	Width, Height  int
}

type tick struct {
	X    int
	Hour int
}

// picture is nil where nobody attacked. Its scale is a square root, so that the few messages that go out can be seen
// below the many that were tried.
func (c *chart) picture() *picture {
	if c == nil || len(c.slots) == 0 {
		return nil
	}
	const width, height = 720, 160
	p := &picture{Width: width, Height: height}
	p.Most = slices.MaxFunc(c.slots, func(a, b slot) int { return a.attempts - b.attempts }).attempts
	x := func(i int) float64 { return width * float64(i) / float64(max(1, len(c.slots)-1)) }
	line := func(of func(slot) int) string {
		var b strings.Builder
		for i, s := range c.slots {
			fmt.Fprintf(&b, "%.1f,%.1f ", x(i), height-height*root(of(s), p.Most))
		}
		return b.String()
	}
	p.Attempts, p.Sent = line(func(s slot) int { return s.attempts }), line(func(s slot) int { return s.sent })
	perHour := int(time.Hour / slotSpan)
	for i := 0; i < len(c.slots); i += 6 * perHour {
		p.Hours = append(p.Hours, tick{int(x(i)), i / perHour})
	}
	return p
}

func root(n, most int) float64 {
	if most == 0 {
		return 0
	}
	return math.Sqrt(float64(n) / float64(most))
}
