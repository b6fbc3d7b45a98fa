// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux

/// A request the kernel refused, in full: what we wanted, its errno, and its own words.
package struct NetlinkError: Error, Hashable, CustomStringConvertible {
    package var operation: String
    package var code: Int32
    /// The extended acknowledgement; also says what was wrong with an answer.
    package var text: String?

    package init(_ operation: String, code: Int32, text: String? = nil) {
        self.operation = operation
        self.code = code
        self.text = text
    }

    package init(_ operation: String, _ error: SystemError) {
        self.init(operation, code: error.code, text: error.description)
    }

    package var description: String {
        "cannot \(operation): \(text.map { "\($0) (\(SystemError.text(of: code)))" } ?? SystemError.text(of: code))"
    }
}

/// One of several requests that go to the kernel together.
package struct NetlinkRequest: Sendable {
    package var operation: String
    package var type: Int
    package var flags: Int32
    package var payload: [UInt8]

    package init(_ operation: String, type: Int, flags: Int32 = 0, payload: [UInt8]) {
        self.operation = operation
        self.type = type
        self.flags = flags
        self.payload = payload
    }
}

/// A socket for requests to the kernel, bound to the namespace of the thread that opened it.
///
/// Not safe for use by two threads at once: a request and its answer belong together.
package final class NetlinkSocket {
    private let descriptor: Descriptor
    private let answers: AnswerRoom
    private var sequence: UInt32 = 0

    /// How often an interrupted dump is begun anew before its last result is an error.
    private static let dumpAttempts = 10

    /// - Parameters:
    ///   - forDumps: whether large tables are going to be read, for which the kernel is told of more room.
    ///   - other: a socket that is never used at the same time; the room for answers is shared with it.
    package init(family: Int32 = NETLINK_ROUTE, forDumps: Bool = true, sharing other: NetlinkSocket? = nil) throws(NetlinkError) {
        answers = other?.answers ?? AnswerRoom()
        do throws(SystemError) {
            descriptor = Descriptor(
                owning: try checked("open", "netlink socket") {
                    socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), family)
                })
            var on: Int32 = 1
            for option in forDumps ? [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] : [NETLINK_EXT_ACK] {
                // Old kernels lack one or the other; requests work without.
                _ = setsockopt(descriptor.raw, SOL_NETLINK, Int32(option), &on, socklen_t(MemoryLayout<Int32>.size))
            }
            guard forDumps else { return }
            // A dump of a large table comes in bursts.
            var size: Int32 = 1 << 20
            _ = setsockopt(descriptor.raw, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        } catch { throw NetlinkError("open a netlink socket", error) }
    }

    /// Sends a request and waits for its acknowledgement.
    package func execute(
        _ operation: @autoclosure () -> String, type: Int, flags: Int32 = 0, payload: [UInt8]
    ) throws(NetlinkError) {
        _ = try transact(operation, type: type, flags: flags | NLM_F_ACK, payload: payload)
    }

    /// Asks for one object.
    package func get(
        _ operation: @autoclosure () -> String, type: Int, payload: [UInt8]
    ) throws(NetlinkError) -> Message {
        guard let message = try transact(operation, type: type, flags: NLM_F_ACK, payload: payload).first else {
            throw NetlinkError(operation(), code: EPROTO, text: "the kernel's answer is empty")
        }
        return message
    }

    /// Asks for all objects of a kind. A dump that changes under the kernel's hands is begun anew.
    package func dump(
        _ operation: @autoclosure () -> String, type: Int, payload: [UInt8]
    ) throws(NetlinkError) -> [Message] {
        for _ in 0..<Self.dumpAttempts {
            let messages = try transact(operation, type: type, flags: NLM_F_DUMP, payload: payload)
            if !messages.contains(where: { Int32($0.flags) & NLM_F_DUMP_INTR != 0 }) { return messages }
        }
        throw NetlinkError(operation(), code: EAGAIN, text: "the table keeps changing while it is read")
    }

    /// Sends all requests together; the kernel does them one after the other, also behind one that fails. Only the last is
    /// acknowledged, so a batch that succeeds costs two system calls however long it is.
    ///
    /// - Returns: what failed, by its place.
    package func execute(all requests: [NetlinkRequest]) throws(NetlinkError) -> [(index: Int, error: NetlinkError)] {
        var failures: [(index: Int, error: NetlinkError)] = []
        var start = 0
        while start < requests.count {
            var bytes: [UInt8] = []
            let first = sequence &+ 1
            var end = start
            while end < requests.count, bytes.isEmpty || bytes.count + requests[end].payload.count < Self.batchLimit {
                let request = requests[end]
                sequence &+= 1
                end += 1
                let isLast = end == requests.count || bytes.count + requests[end].payload.count >= Self.batchLimit
                bytes +=
                    Message(
                        type: UInt16(truncatingIfNeeded: request.type),
                        flags: UInt16(truncatingIfNeeded: request.flags | NLM_F_REQUEST | (isLast ? NLM_F_ACK : 0)), sequence: sequence,
                        payload: request.payload
                    ).bytes
                bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
                if isLast { break }
            }
            let operation = requests[start].operation
            try write(bytes, operation)
            var isOpen = true
            while isOpen {
                for message in try read(operation) {
                    let place = Int(message.sequence &- first)
                    guard place >= 0, place < end - start, Int32(message.type) == NLMSG_ERROR else { continue }
                    if let acknowledgement = Acknowledgement(message), acknowledgement.code != 0 {
                        let error = NetlinkError(
                            requests[start + place].operation, code: acknowledgement.code, text: acknowledgement.text)
                        failures.append((start + place, error))
                    }
                    if message.sequence == sequence { isOpen = false }
                }
            }
            start = end
        }
        return failures
    }

    /// Asks for several objects together; nil for those that the kernel says are not there, or says nothing of. The last request is
    /// acknowledged: then all have been answered that will be.
    package func get(all requests: [NetlinkRequest], absent: [Int32]) throws(NetlinkError) -> [Message?] {
        guard let operation = requests.first?.operation else { return [] }
        var bytes: [UInt8] = []
        let first = sequence &+ 1
        for (index, request) in requests.enumerated() {
            sequence &+= 1
            let isLast = index == requests.count - 1
            bytes +=
                Message(
                    type: UInt16(truncatingIfNeeded: request.type),
                    flags: UInt16(truncatingIfNeeded: request.flags | NLM_F_REQUEST | (isLast ? NLM_F_ACK : 0)), sequence: sequence,
                    payload: request.payload
                ).bytes
            bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
        }
        try write(bytes, operation)
        var answers = [Message?](repeating: nil, count: requests.count)
        var isOpen = true
        while isOpen {
            for message in try read(operation) {
                let place = Int(message.sequence &- first)
                guard place < requests.count else { continue }
                guard Int32(message.type) == NLMSG_ERROR else {
                    answers[place] = message
                    continue
                }
                let acknowledgement = Acknowledgement(message)
                let code = acknowledgement?.code ?? EPROTO
                if code != 0, !absent.contains(code) {
                    throw NetlinkError(requests[place].operation, code: code, text: acknowledgement?.text)
                }
                if message.sequence == sequence { isOpen = false }
            }
        }
        return answers
    }

    /// A datagram of requests: far below what a socket takes by default (net.core.wmem_default, 208 KiB).
    private static let batchLimit = 1 << 15

    private func write(_ bytes: [UInt8], _ operation: @autoclosure () -> String) throws(NetlinkError) {
        do throws(SystemError) {
            try checked("send to", "netlink socket") { bytes.withUnsafeBytes { send(descriptor.raw, $0.baseAddress, $0.count, 0) } }
        } catch { throw NetlinkError(operation(), error) }
    }

    /// What has been answered by now: one datagram at least.
    private func read(_ operation: @autoclosure () -> String) throws(NetlinkError) -> [Message] {
        let datagrams: [[UInt8]]
        do throws(SystemError) { datagrams = try answers.receive(from: descriptor) } catch { throw NetlinkError(operation(), error) }
        var all: [Message] = []
        for datagram in datagrams {
            guard let messages = Message.list(datagram[...]) else {
                throw NetlinkError(operation(), code: EPROTO, text: "the kernel's answer is malformed")
            }
            all += messages
        }
        return all
    }

    private func transact(
        _ operation: () -> String, type: Int, flags: Int32, payload: [UInt8]
    ) throws(NetlinkError) -> [Message] {
        sequence &+= 1
        let request = Message(
            type: UInt16(truncatingIfNeeded: type), flags: UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST),
            sequence: sequence, payload: payload
        ).bytes
        try write(request, operation())
        var answers: [Message] = []
        while true {
            let messages = try read(operation())
            // Whatever belongs to an earlier request that was given up is passed over.
            for message in messages where message.sequence == sequence {
                switch Int32(message.type) {
                case NLMSG_DONE, NLMSG_ERROR:
                    let acknowledgement = Acknowledgement(message)
                    if let acknowledgement, acknowledgement.code != 0 {
                        throw NetlinkError(operation(), code: acknowledgement.code, text: acknowledgement.text)
                    }
                    return answers
                default:
                    answers.append(message)
                }
            }
        }
    }
}

/// Where datagrams of the kernel arrive, several with one system call: the answer of a dump and its end are two.
private final class AnswerRoom {
    /// Twice what the kernel puts into one datagram of a dump (af_netlink.c: 32 KiB at most, when the reader
    /// has shown room for it). One object, without its virtual functions, has far less.
    private static let room = 1 << 16
    private static let count = 4

    private let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: AnswerRoom.room * AnswerRoom.count, alignment: 16)

    deinit { bytes.deallocate() }

    func receive(from descriptor: Descriptor) throws(SystemError) -> [[UInt8]] {
        var sizes = [Int](repeating: 0, count: Self.count)
        let received = try checked("receive from", "netlink socket") {
            CLinux_receive_datagrams(descriptor.raw, bytes.baseAddress, Self.room, UInt32(Self.count), &sizes)
        }
        var datagrams: [[UInt8]] = []
        for (index, size) in sizes.prefix(Int(received)).enumerated() {
            // Its end is lost, and half an answer is none.
            if size > Self.room { throw SystemError("receive \(size) bytes from", "netlink socket", code: EMSGSIZE) }
            datagrams.append([UInt8](bytes[index * Self.room..<index * Self.room + size]))
        }
        return datagrams
    }
}
