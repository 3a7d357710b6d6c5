package main

import (
	"fmt"
	"html"
	"slices"
	"strings"
)

// Sizes of the chart, in its own units.
const (
	chartWidth = 760
	barsBegin  = 130 // where the bars begin, right of the names of the works
	barHeight  = 13
	groupGap   = 12
	chartHead  = 46
)

var barColours = []string{"#4477aa", "#228833", "#cc6677", "#aa7744", "#66ccee"}

// chart draws how many times as fast as the peer each connector is, a group of bars for each work. What is out of the picture ends
// at its edge: its number stands beside it.
func chart(rows []row) string {
	const most = 3.0
	scale := float64(chartWidth-barsBegin-60) / most
	x := func(ratio float64) float64 { return barsBegin + min(ratio, most)*scale }
	var works, connectors []string
	for _, r := range rows[1:] {
		if !slices.Contains(works, r.Work) {
			works = append(works, r.Work)
		}
		if r.Connector != rows[0].Connector && !slices.Contains(connectors, r.Connector) {
			connectors = append(connectors, r.Connector)
		}
	}
	height := chartHead + len(works)*(len(connectors)*barHeight+groupGap) + 10
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", chartWidth, height)
	fmt.Fprintf(&out, `<rect width="%d" height="%d" fill="white"/>`+"\n", chartWidth, height)
	fmt.Fprintf(&out, `<text x="10" y="16" font-size="13">Speed, times a plain connector in Go (longer is faster)</text>`+"\n")
	for i, connector := range connectors {
		at := barsBegin + i*90
		fmt.Fprintf(&out, `<rect x="%d" y="25" width="10" height="10" fill="%s"/><text x="%d" y="34">%s</text>`+"\n",
			at, barColours[i%len(barColours)], at+14, html.EscapeString(connector))
	}
	y := chartHead
	for _, work := range works {
		fmt.Fprintf(&out, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", barsBegin-8, y+len(connectors)*barHeight/2+4, html.EscapeString(work))
		for i, connector := range connectors {
			at := slices.IndexFunc(rows, func(r row) bool { return r.Work == work && r.Connector == connector })
			if at >= 0 {
				ratio := rows[at].WallRatio
				fmt.Fprintf(&out, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/><text x="%.1f" y="%d">%.2f</text>`+"\n",
					barsBegin, y, x(ratio)-barsBegin, barHeight-2, barColours[i%len(barColours)], x(ratio)+4, y+barHeight-3, ratio)
			}
			y += barHeight
		}
		y += groupGap
	}
	fmt.Fprintf(&out, `<line x1="%[1]g" y1="%[2]d" x2="%[1]g" y2="%[3]d" stroke="black" stroke-dasharray="3 3"/>`+"\n</svg>\n", x(1), chartHead-4, height-10)
	return out.String()
}
