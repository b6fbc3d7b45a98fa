// SPDX-License-Identifier: Apache-2.0

import Primitives

/// A request to `nearside-nri` over its socket: one line of text, with one line as the reply.
///
/// Text and not JSON, so that `nearside-gate`, which runs before each container of a claim, needs
/// neither Foundation nor a parser.
package enum ControlRequest: Hashable, Sendable {
    /// Asks whether the container runtime is connected and synchronised.
    case status
    /// Requests that the CDI specification of the claim's plan exists.
    case publish(claim: String)
    /// Requests the restore of all devices of the claim, and the removal of its CDI specification.
    case release(claim: String)
    /// Asks whether a container of the claim may start. The container's network namespace is passed as a descriptor.
    case admit(claim: String)

    package var line: String {
        switch self {
        case .status: "status\n"
        case .publish(let claim): "publish \(claim)\n"
        case .release(let claim): "release \(claim)\n"
        case .admit(let claim): "admit \(claim)\n"
        }
    }

    /// Parses a line without its end; nil if it is not a request.
    package init?(line: some StringProtocol) {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        switch (words.first, words.count) {
        case ("status", 1): self = .status
        case ("publish", 2) where Self.isUID(words[1]): self = .publish(claim: String(words[1]))
        case ("release", 2) where Self.isUID(words[1]): self = .release(claim: String(words[1]))
        case ("admit", 2) where Self.isUID(words[1]): self = .admit(claim: String(words[1]))
        default: return nil
        }
    }

    /// Claims are names of files in the journal: 1 to 128 letters, digits and hyphens.
    private static func isUID(_ word: some StringProtocol) -> Bool {
        (1...128).contains(word.utf8.count)
            && word.utf8.allSatisfy {
                $0.isASCIIAlphanumeric || $0 == 0x2d
            }
    }

    /// The limit of a line; the longest word is a UID.
    package static let lineLimit = 256
}

/// A request to `nearside-node` in the same form, from `nearside-nri`, which has no access to the cluster, or from a probe.
package enum NodeRequest: Hashable, Sendable {
    /// The level that a probe checks.
    package enum Level: String, Hashable, Sendable, CaseIterable {
        /// The daemon answers.
        case alive
        /// The daemon is registered with the kubelet, `nearside-nri` is synchronised, and the slices are accepted.
        case ready
    }

    case check(Level)
    /// Asks for the claims of a pod. The daemon records the answer in the plans.
    case pod(namespace: String, name: String, uid: String)

    package var line: String {
        switch self {
        case .check(let level): "\(level.rawValue)\n"
        case .pod(let namespace, let name, let uid): "pod \(namespace) \(name) \(uid)\n"
        }
    }

    /// Parses a line without its end; nil if it is not a request.
    package init?(line: some StringProtocol) {
        let parts = line.split(separator: " ", omittingEmptySubsequences: false)
        let words = parts.map { String($0) }
        if words.count == 1, let level = Level(rawValue: words[0]) {
            self = .check(level)
            return
        }
        guard words.count == 4, words[0] == "pod", words.dropFirst().allSatisfy(Self.isName) else { return nil }
        self = .pod(namespace: words[1], name: words[2], uid: words[3])
    }

    /// Names become parts of a path, so that they are checked.
    private static func isName(_ word: String) -> Bool {
        (1...253).contains(word.utf8.count) && !word.hasPrefix(".")
            && word.utf8.allSatisfy {
                $0.isASCIIAlphanumeric || $0 == 0x2d || $0 == 0x2e
            }
    }

    /// The limit of a line: two names of objects and a UID.
    package static let lineLimit = 1024
}

/// The reply: success, or a reason.
package enum ControlReply: Hashable, Sendable {
    case ok
    /// Success, with the features of plans that the daemon supports.
    case supports([String])
    case refused(String)

    /// The reason of a failure; nil for success.
    package var refusal: String? {
        if case .refused(let why) = self { return why }
        return nil
    }

    /// The limit of a line including its end; longer reasons are truncated.
    package static let lineLimit = 4096

    package var line: String {
        switch self {
        case .ok: return "ok\n"
        case .supports(let features): return "ok \(features.joined(separator: ","))\n"
        case .refused(let why):
            // A truncated character may become three bytes.
            return "error \(Self.plain(why, Self.lineLimit - 16))\n"
        }
    }

    /// The limit of a received reason in bytes; a complete error stays below 2 KiB.
    private static let reasonLimit = 1536

    private static func plain(_ why: some StringProtocol, _ limit: Int) -> String {
        var text = [UInt8](why.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x20 : $0 })
        if text.count > limit { text = text.prefix(limit) + Array("...".utf8) }
        return String(decoding: text, as: UTF8.self)
    }

    package init?(line: some StringProtocol) {
        guard line.utf8.count < Self.lineLimit else { return nil }
        if line == "ok" {
            self = .ok
        } else if line.hasPrefix("ok ") {
            let words = line.dropFirst(3).split(separator: ",", omittingEmptySubsequences: false)
            let isPlain = words.allSatisfy { word in
                (1...64).contains(word.utf8.count)
                    && word.utf8.allSatisfy {
                        $0.isASCIIAlphanumeric
                    }
            }
            guard isPlain else { return nil }
            self = .supports(words.map { String($0) })
        } else if line.hasPrefix("error ") {
            self = .refused(Self.plain(line.dropFirst(6), Self.reasonLimit))
        } else {
            return nil
        }
    }
}
