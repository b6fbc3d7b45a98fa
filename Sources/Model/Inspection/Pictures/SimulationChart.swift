// SPDX-License-Identifier: Apache-2.0

/// The chart of `nearside simulate -o svg`: the outcome of the accelerators and the bandwidth of each strategy.
package enum SimulationChart {
    private static let colours = (aligned: "#2b8a3e", alone: "#9dc3a6", misplaced: "#e08214", stranded: "#c9ced6")

    /// Draws the chart as SVG.
    package static func text(_ document: SimulationDocument) -> String {
        var svg = SVG()
        let (left, bar, row, margin) = (150.0, 460.0, 26.0, 24.0)
        let width = left + bar + 130 + 2 * margin
        var y = margin + 18
        svg.text("Allocation of the accelerators of many nodes", margin, y, size: 18, fill: Palette.ink, face: .bold)
        y += 24
        var x = margin
        for (name, colour) in [
            ("aligned", colours.aligned), ("alone, as requested", colours.alone), ("misplaced", colours.misplaced),
            ("stranded", colours.stranded),
        ] {
            svg.box(x, y - 10, 12, 12, fill: colour, line: colour, radius: 2)
            svg.text(name, x + 17, y, size: 11.5, fill: Palette.ink)
            x += name.count > 9 ? 140 : 100
        }
        svg.text("right: bandwidth of whole pairs", x, y, size: 11.5, fill: Palette.faint)
        y += 20
        let groups = document.machines.count > 1 ? [("all machines", document.mean)] : []
        for (name, outcomes) in groups + document.machines.map({ ($0.machine, $0.outcomes) }) {
            y += 14
            svg.text("\(name), \(document.nodes) nodes", margin, y, size: 13, fill: Palette.ink, face: .bold)
            y += 10
            for outcome in outcomes {
                svg.text(outcome.strategy.rawValue, margin + left - 12, y + 15, size: 11.5, fill: Palette.ink, anchor: "end")
                var start = margin + left
                let all = Double(max(1, outcome.accelerators))
                for (count, colour, ink) in [
                    (outcome.aligned, colours.aligned, "#ffffff"), (outcome.alone, colours.alone, Palette.ink),
                    (outcome.misplaced, colours.misplaced, "#ffffff"),
                    (outcome.stranded, colours.stranded, Palette.ink),
                ] where count > 0 {
                    let length = bar * Double(count) / all
                    svg.box(start, y + 2, length, row - 6, fill: colour, line: "#ffffff", radius: 2)
                    let percent = Int((Double(count) / all * 100).rounded())
                    if length > 34 {
                        svg.text("\(percent)%", start + length / 2, y + 16, size: 11, fill: ink, face: .bold, anchor: "middle")
                    }
                    start += length
                }
                svg.text("\(Int((outcome.bandwidth * 100).rounded()))%", margin + left + bar + 14, y + 16, size: 11.5, fill: Palette.ink)
                svg.box(margin + left + bar + 52, y + 6, 70, row - 14, fill: "#eef1f4", line: "#eef1f4", radius: 2)
                svg.box(
                    margin + left + bar + 52, y + 6, 70 * min(1, outcome.bandwidth), row - 14, fill: "#1f77b4", line: "#1f77b4", radius: 2)
                y += row
            }
        }
        return svg.document(
            width: width, height: y + margin, title: "Allocation of the accelerators of many nodes",
            description: "Shares of accelerators that are aligned, misplaced and stranded, by form of request")
    }
}
