// SPDX-License-Identifier: Apache-2.0

/// Texts of errors, bounded in size: answers to the kubelet, conditions of claims, events and logs contain them, and they contain texts
/// of claims' authors.
package enum ProblemText {
    /// The limit of listed problems.
    package static let problems = 20
    /// The limit of all problems together in bytes.
    package static let bytes = 2048
    /// The limit of one problem in bytes.
    package static let problemBytes = 512

    /// Joins the first problems, and the number of the others.
    ///
    /// - Parameter omitted: the number of problems that were not kept.
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

    /// Returns the text on one line, truncated at a character to a number of bytes, with a mark if it was truncated.
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

    /// False for characters that end a line, or change how the surrounding text is displayed.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        ![.control, .format, .lineSeparator, .paragraphSeparator].contains(scalar.properties.generalCategory)
    }

    /// Returns a foreign text in quotes, truncated.
    package static func quoted(_ text: String) -> String { "\"\(cut(text, to: 64))\"" }
}
