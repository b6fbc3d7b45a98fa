// SPDX-License-Identifier: Apache-2.0

/// One option of a command line, and the property that it fills.
package struct CommandOption<Values> {
    /// The name without hyphens.
    package let name: String
    /// The description in the help.
    package let help: String
    /// False for a flag.
    package let takesValue: Bool
    /// The default as the help shows it; nil without a default.
    let initial: (Values) -> String?
    /// Sets the property; false if the text is not a value of its type.
    let set: (inout Values, String) -> Bool

    /// The option as the help shows it.
    var form: String { takesValue ? "--\(name) <\(name)>" : "--\(name)" }

    private init(
        _ name: String, _ help: String, takesValue: Bool = true, initial: @escaping (Values) -> String? = { _ in nil },
        set: @escaping (inout Values, String) -> Bool
    ) {
        self.name = name
        self.help = help
        self.takesValue = takesValue
        self.initial = initial
        self.set = set
    }

    /// Makes an option with a default.
    package init<Value: LosslessStringConvertible>(_ name: String, _ path: WritableKeyPath<Values, Value>, _ help: String) {
        self.init(
            name, help,
            initial: { values in
                let text = String(values[keyPath: path])
                return text.isEmpty ? nil : text
            },
            set: { values, text in
                guard let value = Value(text) else { return false }
                values[keyPath: path] = value
                return true
            })
    }

    /// Makes an option that can be absent.
    package init<Value: LosslessStringConvertible>(_ name: String, _ path: WritableKeyPath<Values, Value?>, _ help: String) {
        self.init(
            name, help,
            set: { values, text in
                values[keyPath: path] = Value(text)
                return values[keyPath: path] != nil
            })
    }

    /// Makes an option that may be repeated.
    package init(_ name: String, _ path: WritableKeyPath<Values, [String]>, _ help: String) {
        self.init(
            name, help,
            set: { values, text in
                values[keyPath: path].append(text)
                return true
            })
    }

    /// Makes a flag.
    package init(flag name: String, _ path: WritableKeyPath<Values, Bool>, _ help: String) {
        self.init(
            name, help, takesValue: false,
            set: { values, _ in
                values[keyPath: path] = true
                return true
            })
    }
}
