// SPDX-License-Identifier: Apache-2.0

/// Errors as text within bounds: they go into answers to the kubelet, into conditions of claims, into events and into logs, and hold
/// texts of claims' authors.
package enum ProblemText {
    /// How many problems are written out.
    package static let problems = 20
    /// Bytes of all of them.
    package static let bytes = 2048
    /// Bytes of one of them.
    package static let problemBytes = 512

    /// The first of the problems, and how many more there are.
    ///
    /// - Parameter omitted: problems that were counted and not kept.
    package static func joined(_ problems: [String], omitted: Int = 0) -> String {
        var text = ""
        var told = 0
        for problem in problems.prefix(Self.problems) {
            let next = (told > 0 ? "; " : "") + cut(problem, to: problemBytes)
            guard text.utf8.count + next.utf8.count <= bytes else { break }
            text += next
            told += 1
        }
        let rest = problems.count - told + omitted
        return rest > 0 ? "\(text); and \(rest) more" : text
    }

    /// The text on one line, cut at a character to at most so many bytes and a sign that it was cut.
    package static func cut(_ text: String, to bytes: Int) -> String {
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            count += UTF8.width(scalar)
            guard count <= bytes else { return result + "..." }
            result.unicodeScalars.append(Self.isPrintable(scalar) ? scalar : " ")
        }
        return result
    }

    /// False for what ends a line, or changes how the text around it is shown.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        ![.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
    }

    /// Returns a foreign text in quotes, short enough for a sentence.
    package static func quoted(_ text: String) -> String { "\"\(cut(text, to: 64))\"" }
}
