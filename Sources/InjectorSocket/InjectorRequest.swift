// SPDX-License-Identifier: Apache-2.0

/// What others ask of `nearside-nri` over its socket: one line of text, answered by one line.
///
/// Text and not JSON, so that `nearside-gate`, which runs before every container of a claim, needs
/// neither Foundation nor a parser.
package enum InjectorRequest: Hashable, Sendable {
    /// Is the container runtime connected and synchronised?
    case status
    /// Bring everything of the claim back to the host.
    case release(claim: String)
    /// May a container of the claim start? The network namespace it has comes along as a descriptor.
    case admit(claim: String)

    package var line: String {
        switch self {
        case .status: "status\n"
        case .release(let claim): "release \(claim)\n"
        case .admit(let claim): "admit \(claim)\n"
        }
    }

    /// Reads a line without its end; nil for anything that is no request.
    package init?(line: some StringProtocol) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        switch (words.first, words.count) {
        case ("status", 1): self = .status
        case ("release", 2) where !words[1].isEmpty: self = .release(claim: String(words[1]))
        case ("admit", 2) where !words[1].isEmpty: self = .admit(claim: String(words[1]))
        default: return nil
        }
    }

    /// No line is longer: the longest word is a UID.
    package static let lineLimit = 256
}

/// The answer: it is so, or why not.
package enum InjectorReply: Hashable, Sendable {
    case ok
    case refused(String)

    package var line: String {
        switch self {
        case .ok: "ok\n"
        case .refused(let why): "error \(String(why.map { $0 == "\n" ? " " : $0 }))\n"
        }
    }

    package init?(line: some StringProtocol) {
        if line == "ok" {
            self = .ok
        } else if line.hasPrefix("error ") {
            self = .refused(String(line.dropFirst(6)))
        } else {
            return nil
        }
    }
}
