// SPDX-License-Identifier: Apache-2.0

/// A picture in SVG 1.1. Lengths are pixels.
struct SVG {
    private(set) var elements: [String] = []

    enum Face { case plain, bold, fixed }

    mutating func box(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, fill: String, line: String, thickness: Double = 1, radius: Double = 6
    ) {
        elements.append(
            "<rect x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" width=\"\(Self.number(width))\" height=\"\(Self.number(height))\" "
                + "rx=\"\(Self.number(radius))\" fill=\"\(fill)\" stroke=\"\(line)\" stroke-width=\"\(Self.number(thickness))\"/>")
    }

    mutating func text(_ text: String, _ x: Double, _ y: Double, size: Double, fill: String, face: Face = .plain, anchor: String = "start")
    {
        let family = face == .fixed ? "DejaVu Sans Mono, Menlo, Consolas, monospace" : "DejaVu Sans, Verdana, Helvetica, sans-serif"
        elements.append(
            "<text x=\"\(Self.number(x))\" y=\"\(Self.number(y))\" font-size=\"\(Self.number(size))\" font-family=\"\(family)\" fill=\"\(fill)\""
                + (face == .bold ? " font-weight=\"bold\"" : "") + (anchor == "start" ? "" : " text-anchor=\"\(anchor)\"")
                + ">\(Self.escaped(text))</text>")
    }

    mutating func curve(from start: (x: Double, y: Double), to end: (x: Double, y: Double), line: String, dashed: Bool = false) {
        let middle = (start.y + end.y) / 2
        elements.append(
            "<path d=\"M\(Self.number(start.x)),\(Self.number(start.y)) C\(Self.number(start.x)),\(Self.number(middle)) "
                + "\(Self.number(end.x)),\(Self.number(middle)) \(Self.number(end.x)),\(Self.number(end.y))\" fill=\"none\" stroke=\"\(line)\" "
                + "stroke-width=\"2\" stroke-opacity=\"0.7\"" + (dashed ? " stroke-dasharray=\"5,4\"" : "") + "/>")
    }

    mutating func line(_ x: Double, _ y: Double, _ endX: Double, _ endY: Double, line: String) {
        elements.append(
            "<line x1=\"\(Self.number(x))\" y1=\"\(Self.number(y))\" x2=\"\(Self.number(endX))\" y2=\"\(Self.number(endY))\" stroke=\"\(line)\"/>"
        )
    }

    mutating func circle(_ x: Double, _ y: Double, _ radius: Double, fill: String) {
        elements.append("<circle cx=\"\(Self.number(x))\" cy=\"\(Self.number(y))\" r=\"\(Self.number(radius))\" fill=\"\(fill)\"/>")
    }

    /// - Parameter description: text for screen readers.
    func document(width: Double, height: Double, title: String, description: String) -> String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.number(width))" height="\(Self.number(height))" \
        viewBox="0 0 \(Self.number(width)) \(Self.number(height))" role="img">
        <title>\(Self.escaped(title))</title>
        <desc>\(Self.escaped(description))</desc>
        <rect width="100%" height="100%" fill="#ffffff"/>
        \(elements.joined(separator: "\n"))
        </svg>

        """
    }

    /// Returns the estimated width of a text, which must not depend on fonts.
    static func width(_ text: String, size: Double, face: Face = .plain) -> Double {
        Double(text.count) * size * (face == .plain ? 0.58 : face == .bold ? 0.65 : 0.61)
    }

    private static func number(_ value: Double) -> String {
        let rounded = (value * 10).rounded() / 10
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            // XML does not allow the other control characters.
            case _ where character.value < 0x20: result += " "
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }
}

/// Colours that most people can distinguish. Red is reserved for findings.
enum Palette {
    static let ink = "#1f2933"
    static let faint = "#66727f"
    static let alarm = "#c81e1e"

    private static let pairs: [(line: String, fill: String)] = [
        ("#1f77b4", "#d9eaf6"), ("#e08214", "#fdebd3"), ("#2b8a3e", "#d8f0dc"), ("#7b4fb3", "#e8def5"),
        ("#0b8f8f", "#d3f0f0"), ("#a0761a", "#f4ead0"), ("#d13f9e", "#fadff0"), ("#5a6b1c", "#e9eed2"),
        ("#3c56c9", "#dde3fb"), ("#b5651d", "#f6e2d0"), ("#14865f", "#d0f0e3"), ("#9236a4", "#f0dcf4"),
        ("#3a7d9c", "#dbecf3"), ("#8a8d0f", "#f1f2cf"), ("#6b4a3a", "#eadfd9"), ("#4f5d75", "#e1e5ec"),
    ]

    static func pair(_ rail: Int) -> (line: String, fill: String) { pairs[rail % pairs.count] }
}
