// SPDX-License-Identifier: Apache-2.0

import Glibc
import JournalModel
package import Linux

/// The journal on disk: two folders of files, through which the daemons exchange state. Each daemon writes one folder and reads the other.
///
///     nearside-node's folder, /run/nearside:
///         plans/CLAIM-UID.json
///         workloads/CLAIM-UID...  files for the claim's containers
///         node.sock               served by nearside-node
///         node-POD-UID.sock       served by the instance in that pod, for its probes
///         machine.json            private to nearside-node: the last published devices
///         cluster.json            private to nearside-node: missing features of the cluster
///     nearside-nri's folder, /run/nearside-nri:
///         states/CLAIM-UID.json   each with a copy in the same folder (.json.copy)
///         leases/CLAIM-UID_DEVICE_NETNS[_v6]
///                                 leases of DHCP servers
///         workloads/CLAIM-UID...  copies of nearside-node's files, mounted into containers
///         late/POD-UID.json
///         nri.sock                served by nearside-nri
///         nri.lock                locked by the serving instance
///
/// Each file has one writer and is replaced atomically, so that neither daemon waits for the other, and readers never see a partial change.
package struct JournalFolder: Sendable {
    /// The daemon that opens the journal. It changes no file in the other daemon's folder.
    package enum Daemon: Hashable, Sendable { case node, injector }

    /// The folder of nearside-node.
    package let path: String
    /// The folder of nearside-nri.
    package let statesPath: String
    let daemon: Daemon

    package init(_ path: String, states: String, for daemon: Daemon) {
        self.path = path
        statesPath = states
        self.daemon = daemon
    }

    package static let defaultPath = "/run/nearside"
    package static let defaultStatesPath = "/run/nearside-nri"

    package var socket: String { "\(statesPath)/nri.sock" }
    package var lock: String { "\(statesPath)/nri.lock" }
    package var nodeSocket: String { "\(path)/node.sock" }
    /// The socket of one of two instances; nil for the instance that serves ``nodeSocket``.
    package func nodeSocket(of pod: String?) -> String { pod.map { "\(path)/node-\($0).sock" } ?? nodeSocket }
    package var machine: String { "\(path)/machine.json" }
    package var cluster: String { "\(path)/cluster.json" }

    /// Creates the folders of this daemon. Only root may read them, because they describe the host.
    package func make() throws(SystemError) {
        for kind in Kind.allCases where kind.writer == daemon {
            try Files.makeFolder(folder(kind), mode: 0o700)
            Files.removeLeftovers(in: folder(kind))
        }
        Files.removeLeftovers(in: daemon == .node ? path : statesPath)
    }

    /// Claims the journal for this driver, for nearside-node: two drivers would overwrite each other's plans of a claim with devices of
    /// both.
    ///
    /// - Throws: an error if the journal belongs to another driver.
    package func take(for driver: String) throws(JournalError) {
        let file = "\(path)/driver"
        var owner: String?
        do throws(SystemError) {
            let descriptor = try FileLock.open(file)
            // Two drivers may start at once: the second one reads what the first has written.
            var attempts = 0
            while try !descriptor.tryLock() {
                attempts += 1
                guard attempts < 500 else { throw SystemError("lock", file, code: EWOULDBLOCK) }
                usleep(10_000)
            }
            owner = String(decoding: try descriptor.readToEnd(limit: 1024), as: UTF8.self).split(separator: "\n").first.map(String.init)
            if owner == nil { try descriptor.write(all: [UInt8]("\(driver)\n".utf8)) }
        } catch { throw JournalError(.systemError, file, .lock, "\(error)") }
        guard owner ?? driver == driver else {
            throw JournalError(
                .otherDriver, path, .lock, "the journal belongs to driver \(owner ?? "")",
                remedy: "set another --journal for \(driver), and another --states for both daemons")
        }
    }

    enum Kind: String, CaseIterable {
        case plans, states, late

        var writer: Daemon { self == .plans ? .node : .injector }
    }

    func folder(_ kind: Kind) -> String { "\(kind.writer == .node ? path : statesPath)/\(kind.rawValue)" }

    func file(_ kind: Kind, _ uid: String) -> String { "\(folder(kind))/\(uid).json" }

    /// The folders of plans, states and reports of late pods, for watchers.
    package var plansFolder: String { folder(.plans) }
    package var statesFolder: String { folder(.states) }
    package var latePodsFolder: String { folder(.late) }

    /// The claim of a file of plans or states; nil for any other file, such as a temporary one.
    package static func uid(ofFile name: String) -> String? {
        guard name.hasSuffix(".json") else { return nil }
        let uid = String(name.dropLast(5))
        return JournalNames.isUID(uid) ? uid : nil
    }

    // MARK: Files

    static let aside = ".damaged"

    /// Reads a file; nil if it does not exist. The daemon that writes files of this kind sets a damaged file aside under another name, so
    /// that it is reported once and kept for analysis.
    func read<Value: JournalValue>(_ kind: Kind, _ uid: String) throws(JournalError) -> Value? {
        let file = try checkedFile(kind, uid)
        let bytes: [UInt8]
        do throws(SystemError) {
            // A symbolic link in the place of the other daemon's file could point to any file of this daemon.
            bytes =
                kind.writer == daemon
                ? try Files.read(file, limit: Value.sizeLimit)
                : try Files.readPlain("\(uid).json", in: folder(kind), limit: Value.sizeLimit)
        } catch {
            if error.isNotFound { return nil }
            throw JournalError(.systemError, file, .read, "\(error)")
        }
        do throws(JournalTextError) { return try JournalDocument<Value>.decode(bytes, uid: uid) } catch {
            var failure = JournalError(
                error.isNewer ? .newer : .damaged, file, .decode, error.isNewer ? "\(error)" : "is damaged: \(error)", text: error.code)
            // A newer program wrote the file and may be installed again, so that the file stays in its place.
            if error.isNewer {
                failure.remedy = "run the version of nearside that wrote the file"
                // SAFETY: the call stays within the size of each argument, and keeps no pointer.
            } else if kind.writer == daemon, unsafe rename(file, file + Self.aside) == 0 {
                failure.remedy = "the damaged file was set aside as \(file + Self.aside)"
            }
            throw failure
        }
    }

    func readAll<Value: JournalValue>(_ kind: Kind) -> ([Value], [JournalError]) {
        var values: [Value] = []
        var damaged: [JournalError] = []
        for uid in Files.list(folder(kind)).compactMap(Self.uid(ofFile:)) {
            do throws(JournalError) {
                if let value: Value = try read(kind, uid) { values.append(value) }
            } catch { damaged.append(error) }
        }
        return (values, damaged)
    }

    @discardableResult
    func write<Value: JournalValue>(
        _ value: Value, _ kind: Kind, _ uid: String, isDurable: Bool
    ) throws(JournalError) -> (path: String, bytes: [UInt8]) {
        let bytes = try text(value, kind, uid)
        return (try replace(kind, uid, bytes, isDurable: isDurable), bytes)
    }

    /// The text of a file for a value. Pure.
    func text<Value: JournalValue>(_ value: Value, _ kind: Kind, _ uid: String) throws(JournalError) -> [UInt8] {
        let file = try checkedFile(kind, uid)
        do throws(JournalTextError) { return try JournalDocument<Value>.encode(value, uid: uid) } catch {
            throw JournalError(.invalidValue, file, .encode, "\(error)", text: error.code)
        }
    }

    /// - Returns: the path of the file.
    @discardableResult
    func replace(_ kind: Kind, _ uid: String, _ bytes: [UInt8], isDurable: Bool) throws(JournalError) -> String {
        let file = try checkedFile(kind, uid)
        guard kind.writer == daemon else {
            throw JournalError(.otherWriter, file, .write, "only the other daemon writes files of this kind")
        }
        do throws(SystemError) { try Files.replace(file, with: bytes, mode: 0o600, isDurable: isDurable) } catch {
            throw JournalError(.systemError, file, .write, "\(error)")
        }
        return file
    }

    func remove(_ kind: Kind, _ uid: String) throws(JournalError) {
        let file = try checkedFile(kind, uid)
        do throws(SystemError) { try Files.remove(file) } catch { throw JournalError(.systemError, file, .remove, "\(error)") }
    }

    /// UIDs come from outside and become file names, so that they are checked.
    func checkedFile(_ kind: Kind, _ uid: String) throws(JournalError) -> String {
        guard JournalNames.isUID(uid) else {
            throw JournalError(.invalidUID, folder(kind), .read, "\"\(uid.prefix(128))\" is not a UID")
        }
        return file(kind, uid)
    }
}
