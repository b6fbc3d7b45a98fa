// SPDX-License-Identifier: Apache-2.0

import Hardware
package import Primitives

extension Hint {
    /// Parses a topology file of NCCL or RCCL: `cpu` elements with a `numaid` contain `pci` elements with a `busid`, and a bridge contains
    /// the functions behind it (nccl, src/graph/xml.cc).
    ///
    /// Other contents (speeds, GPUs, nets) are ignored.
    package init(nccl bytes: some Collection<UInt8>, source: String) throws(InputError) {
        var scanner = MarkupScanner(bytes, source: source)
        var places: [PCIAddress: Place] = [:]
        // The open elements: name, and the bus id of a `pci` one.
        var open: [(name: String, identity: String?)] = []
        var numaNode: Int?
        var hasRoot = false
        func fail(_ text: String) -> InputError { scanner.failure(text) }
        while let tag = try scanner.next() {
            switch tag.kind {
            case .end:
                guard let last = open.popLast(), last.name == tag.name else { throw fail("</\(tag.name)> closes nothing that is open") }
                if last.name == "cpu" { numaNode = nil }
            case .start, .empty:
                if open.isEmpty {
                    guard tag.name == "system", !hasRoot else { throw fail("a topology is one <system>, not <\(tag.name)>") }
                    hasRoot = true
                }
                var identity: String?
                if tag.name == "cpu", tag.kind == .start {
                    numaNode = tag.attributes["numaid"].flatMap { Int($0) }.flatMap { $0 < 0 ? nil : $0 }
                }
                if tag.name == "pci" {
                    guard let text = tag.attributes["busid"] else { throw fail("<pci> lacks its busid") }
                    identity = text
                    // Bridges and leaves have the same form; positions of bridges are never looked up.
                    if let address = PCIAddress(parsing: text.lowercased()) {
                        guard places[address] == nil else { throw fail("\(address) occurs twice") }
                        places[address] = Place(switches: open.compactMap(\.identity), numaNode: numaNode)
                    }
                }
                if tag.kind == .start {
                    guard open.count < 64 else { throw fail("more than 64 elements inside each other") }
                    open.append((tag.name, identity))
                }
            }
        }
        guard open.isEmpty else { throw fail("<\(open.last?.name ?? "")> is never closed") }
        guard hasRoot else { throw fail("there is no <system>") }
        guard !places.isEmpty else { throw fail("it names no PCI function") }
        self.init(source: source, places: places)
    }
}

/// A scanner of XML tags and attributes, without text, document types, or entities other than the five predefined ones. NCCL's own
/// parser has the same scope.
struct MarkupScanner {
    struct Tag: Hashable {
        enum Kind { case start, end, empty }
        var kind: Kind
        var name: String
        var attributes: [String: String] = [:]
    }

    private let bytes: [UInt8]
    private var position = 0
    private var line = 1
    private let source: String

    /// - Parameter source: name of the file in errors.
    init(_ bytes: some Collection<UInt8>, source: String) {
        self.bytes = Array(bytes)
        self.source = source
    }

    /// Returns an error at the current line.
    func failure(_ cause: String) -> InputError { InputError(.malformed, source, at: "line \(line)", cause) }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func advance() {
        if current == UInt8(ascii: "\n") { line += 1 }
        position += 1
    }

    private func starts(with text: String) -> Bool { bytes.dropFirst(position).starts(with: text.utf8) }

    private mutating func skip(past end: String, _ what: String) throws(InputError) {
        while !starts(with: end) {
            guard current != nil else { throw failure("\(what) never ends") }
            advance()
        }
        for _ in 0..<end.utf8.count { advance() }
    }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { advance() }
    }

    /// Returns the next tag; nil at the end.
    mutating func next() throws(InputError) -> Tag? {
        while let byte = current {
            if byte != UInt8(ascii: "<") {
                advance()
            } else if starts(with: "<!--") {
                try skip(past: "-->", "a comment")
            } else if starts(with: "<?") {
                try skip(past: "?>", "an instruction")
            } else if starts(with: "<!") {
                throw failure("declarations are not read")
            } else {
                return try tag()
            }
        }
        return nil
    }

    private mutating func tag() throws(InputError) -> Tag {
        advance()
        if current == UInt8(ascii: "/") {
            advance()
            let name = try name()
            skipSpace()
            guard current == UInt8(ascii: ">") else { throw failure("</\(name) has no >") }
            advance()
            return Tag(kind: .end, name: name)
        }
        var tag = Tag(kind: .start, name: try name())
        while true {
            skipSpace()
            guard let byte = current else { throw failure("<\(tag.name) never ends") }
            if byte == UInt8(ascii: ">") {
                advance()
                return tag
            }
            if byte == UInt8(ascii: "/") {
                advance()
                guard current == UInt8(ascii: ">") else { throw failure("<\(tag.name) has a / inside") }
                advance()
                tag.kind = .empty
                return tag
            }
            let key = try name()
            skipSpace()
            guard current == UInt8(ascii: "=") else { throw failure("\(key) of <\(tag.name)> has no value") }
            advance()
            skipSpace()
            guard tag.attributes.updateValue(try value(), forKey: key) == nil else {
                throw failure("<\(tag.name)> has \(key) twice")
            }
        }
    }

    private mutating func name() throws(InputError) -> String {
        let start = position
        while let byte = current, !Self.endsName(byte) { advance() }
        guard position > start else { throw failure("a name is missing") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private static func endsName(_ byte: UInt8) -> Bool {
        switch byte {
        case 0...0x20, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "\""), UInt8(ascii: "'"):
            true
        default: false
        }
    }

    private mutating func value() throws(InputError) -> String {
        guard let quote = current, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw failure("a value without quotes")
        }
        advance()
        let start = position
        while let byte = current, byte != quote {
            if byte == UInt8(ascii: "<") { throw failure("a value never ends") }
            advance()
        }
        guard current == quote else { throw failure("a value never ends") }
        var text = String(decoding: bytes[start..<position], as: UTF8.self)
        advance()
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        where text.utf8.contains(UInt8(ascii: "&")) {
            text = text.pieces(separatedBy: entity).joined(separator: character)
        }
        return text
    }
}
