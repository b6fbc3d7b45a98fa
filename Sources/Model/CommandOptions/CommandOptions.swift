// SPDX-License-Identifier: Apache-2.0

/// A command line with options only: `--name value`, `--name=value`, or `--name` for a flag.
///
/// Daemons have no subcommands and no arguments, so they do not link ArgumentParser.
package struct CommandOptions<Values> {
    /// The name of the program.
    package var program: String
    /// The first line of the help.
    package var abstract: String
    /// The rest of the introduction.
    package var discussion: String
    /// The options in the order of the help.
    package var options: [CommandOption<Values>]

    /// Makes the description of a command line.
    package init(program: String, abstract: String, discussion: String, options: [CommandOption<Values>]) {
        self.program = program
        self.abstract = abstract
        self.discussion = discussion
        self.options = options
    }

    /// Parses the words after the program's name into `values`.
    ///
    /// - Returns: nil if the words ask for help.
    /// - Throws: ``UsageError`` for an unknown option, a missing value, a value of the wrong type, or an argument.
    package func parse(_ words: some Sequence<String>, into values: Values) throws(UsageError) -> Values? {
        var values = values
        var words = words.makeIterator()
        while let word = words.next() {
            if word == "-h" || word == "--help" { return nil }
            guard word.hasPrefix("-"), word != "-" else { throw error(.unexpectedArgument, word, "Unexpected argument '\(word)'") }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            let given = parts.count > 1 ? String(parts[1]) : nil
            guard let option = options.first(where: { "--\($0.name)" == name }) else { throw unknown(name) }
            guard option.takesValue else {
                if let given {
                    throw error(.unexpectedValue, name, "The option '\(name)' does not take any value, but '\(given)' was specified.")
                }
                _ = option.set(&values, "")
                continue
            }
            // A value that begins with two hyphens needs the form with an equals sign.
            guard let value = given ?? words.next().flatMap({ $0.hasPrefix("--") ? nil : $0 }) else {
                throw error(.missingValue, name, "Missing value for '\(option.form)'", option)
            }
            guard option.set(&values, value) else {
                throw error(.invalidValue, name, "The value '\(value)' is invalid for '\(option.form)'", option)
            }
        }
        return values
    }

    private func error(_ code: UsageError.Code, _ word: String, _ text: String, _ option: CommandOption<Values>? = nil) -> UsageError {
        UsageError(code: code, word: word, help: option.map { "\($0.form)  \($0.help)" }, description: text)
    }

    private func unknown(_ name: String) -> UsageError {
        // A shortened or mistyped name shares its beginning with the option.
        func common(_ option: String) -> Int { zip(option, name.drop { $0 == "-" }).prefix { $0 == $1 }.count }
        let nearest = options.map(\.name).max { common($0) < common($1) }
        let suggestion = nearest.flatMap { common($0) >= 3 ? " Did you mean '--\($0)'?" : nil } ?? ""
        return error(.unknownOption, name, "Unknown option '\(name)'" + (suggestion.isEmpty ? "" : ".\(suggestion)"))
    }

    // MARK: Help

    /// The text for `--help`, with the defaults of `values`, in 80 columns.
    package func help(_ values: Values) -> String {
        let rows = options.map { option in
            (option.form, option.help + (option.initial(values).map { " (default: \($0))" } ?? ""))
        }
        var text = "OVERVIEW: " + Self.lines(abstract, width: 80, indent: "", first: 10) + "\n\n"
        text += Self.lines(discussion, width: 80, indent: "") + "\n\nUSAGE: \(program) <options>\n\nOPTIONS:\n"
        for (form, help) in rows + [("-h, --help", "Show help information.")] {
            let column = 26
            let isShort = form.count + 4 <= column
            text +=
                "  " + form
                + (isShort ? String(repeating: " ", count: column - 2 - form.count) : "\n" + String(repeating: " ", count: column))
            text += Self.lines(help, width: 80, indent: String(repeating: " ", count: column), first: column) + "\n"
        }
        return text
    }

    /// Wraps a text into lines of at most `width` columns; the first line begins at column `first`.
    private static func lines(_ text: String, width: Int, indent: String, first: Int = 0) -> String {
        var result = ""
        var column = first
        for word in text.split(whereSeparator: \.isWhitespace) {
            if result.isEmpty {
                result += word
                column += word.count
            } else if column + 1 + word.count > width {
                result += "\n" + indent + word
                column = indent.count + word.count
            } else {
                result += " " + word
                column += 1 + word.count
            }
        }
        return result
    }
}

/// An invalid command line.
package struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of an error.
    package enum Code: String, Hashable, Sendable {
        case unknownOption, unexpectedArgument, unexpectedValue, missingValue, invalidValue
    }

    package var code: Code
    /// The invalid word; empty if the program itself rejects a value.
    package var word: String
    /// The option's line in the help.
    package var help: String?
    package var description: String

    init(code: Code, word: String, help: String?, description: String) {
        self.code = code
        self.word = word
        self.help = help
        self.description = description
    }

    /// Makes an error for a value of the right type that is out of range.
    package init(_ description: String) {
        self.init(code: .invalidValue, word: "", help: nil, description: description)
    }

    /// The exit status for a wrong command line (`EX_USAGE` of sysexits.h).
    package static var exitStatus: Int32 { 64 }

    /// The text for standard error.
    package func text(program: String) -> String {
        "Error: \(description)\n" + (help.map { "Help:  \($0)\n" } ?? "")
            + "Usage: \(program) <options>\n  See '\(program) --help' for more information.\n"
    }
}
