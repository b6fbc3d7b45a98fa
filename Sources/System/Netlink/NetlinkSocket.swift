// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux

/// A socket for requests to the kernel, bound to the namespace of the thread that opened it.
///
/// The kernel processes requests within send(2), and has then queued the answers to all of them, or the first part of a dump. A missing
/// answer is therefore exceptional: the socket waits for it until the time-out, which is an error. After any error the socket can be used
/// again; late answers are skipped by their sequence numbers.
///
/// Used by one thread at a time, because a request and its answer belong together.
package final class NetlinkSocket {
    package let descriptor: Descriptor
    private let buffer: ReceiveBuffer
    private let timeout: Duration
    private var sequence: UInt32 = 0

    /// The number of attempts at an interrupted dump.
    private static let dumpAttempts = 10
    /// The size of the socket's receive buffer in bytes.
    private static let receiveBufferSize: Int32 = 4 << 20

    /// - Parameters:
    ///   - forDumps: true for large tables, which need a larger receive buffer.
    ///   - other: a socket that is never used at the same time; both share the memory for answers.
    ///   - timeout: the time-out without any part of an answer.
    package init(
        family: Int32 = NETLINK_ROUTE, forDumps: Bool = true, sharing other: NetlinkSocket? = nil, timeout: Duration = .seconds(5)
    ) throws(NetlinkError) {
        self.timeout = timeout
        do throws(SystemError) {
            if let other { buffer = other.buffer } else { buffer = try ReceiveBuffer() }
            descriptor = Descriptor(
                owning: try checked("open", "netlink socket") {
                    socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), family)
                })
        } catch { throw NetlinkError("open a netlink socket", error) }
        for option in forDumps ? [NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK] : [NETLINK_EXT_ACK] {
            // Old kernels lack some of these options; requests work without them.
            try? descriptor.set(Int32(option), of: SOL_NETLINK, to: 1 as Int32)
        }
        guard forDumps else { return }
        // A dump of a large table comes in bursts. Without CAP_NET_ADMIN, net.core.rmem_max is the limit.
        for option in [SO_RCVBUFFORCE, SO_RCVBUF] where (try? descriptor.set(option, to: Self.receiveBufferSize)) != nil { return }
    }

    // MARK: One request

    /// Sends a request and waits for its acknowledgement.
    package func execute(
        _ operation: @autoclosure () -> String, type: Int, flags: Int32 = 0, payload: [UInt8]
    ) throws(NetlinkError) {
        try transact(NetlinkRequest(operation(), type: type, flags: flags, payload: payload)) { _ in }
    }

    /// Requests one object.
    package func get(
        _ operation: @autoclosure () -> String, type: Int, payload: [UInt8]
    ) throws(NetlinkError) -> Message {
        let request = NetlinkRequest(operation(), type: type, payload: payload)
        var answer: Message?
        try transact(request) { answer = answer ?? $0 }
        guard let answer else { throw NetlinkError(request.operation, code: EPROTO, cause: "the kernel's answer is empty") }
        return answer
    }

    /// Requests all objects of a kind.
    package func dump(_ operation: @autoclosure () -> String, type: Int, payload: [UInt8]) throws(NetlinkError) -> [Message] {
        try dump(operation(), type: type, payload: payload) { $0 }
    }

    /// Requests all objects of a kind, and keeps the closure's results. A dump whose table changes in the meantime is repeated.
    package func dump<Value>(
        _ operation: @autoclosure () -> String, type: Int, payload: [UInt8], _ read: (Message) -> Value?
    ) throws(NetlinkError) -> [Value] {
        let request = NetlinkRequest(operation(), type: type, flags: NLM_F_DUMP, payload: payload)
        var failure = NetlinkError(request.operation, code: EAGAIN, cause: "the table keeps changing while it is read")
        for _ in 0..<Self.dumpAttempts {
            var values: [Value] = []
            var isInterrupted = false
            do throws(NetlinkError) {
                try transact(request, isDump: true) { message in
                    if Int32(message.flags) & NLM_F_DUMP_INTR != 0 { isInterrupted = true }
                    if Int32(message.type) != NLMSG_DONE, let value = read(message) { values.append(value) }
                }
            } catch {
                // An abandoned dump is still in progress; the kernel continues it while answers are received.
                guard error.code == EBUSY else { throw error }
                failure = error
                try discard(request.operation)
                continue
            }
            if !isInterrupted { return values }
        }
        throw failure
    }

    /// Sends one request. The closure receives the messages before the acknowledgement or the end of a dump.
    private func transact(_ request: NetlinkRequest, isDump: Bool = false, _ take: (Message) -> Void) throws(NetlinkError) {
        for batch in try batches([request], isAcknowledged: !isDump) {
            try send(batch, request.operation)
            while true {
                for message in try receive(batch, request.operation) {
                    let isEnd = Int32(message.type) == NLMSG_DONE || Int32(message.type) == NLMSG_ERROR
                    if isEnd { try Self.check(message, request.operation) }
                    if Int32(message.type) != NLMSG_ERROR { take(message) }
                    if isEnd { return }
                }
            }
        }
    }

    // MARK: Several requests

    /// Sends all requests in batches. The kernel processes them in order, and continues after a failure. Only the last request of each
    /// batch is acknowledged, so that a batch without failures needs two system calls.
    ///
    /// - Returns: the failures, with the positions of their requests.
    package func execute(all requests: [NetlinkRequest]) throws(NetlinkError) -> [(index: Int, error: NetlinkError)] {
        var failures: [(index: Int, error: NetlinkError)] = []
        for batch in try batches(requests) {
            try exchange(batch, requests) { (place, message) throws(NetlinkError) in
                guard Int32(message.type) == NLMSG_ERROR else { return }
                do throws(NetlinkError) { try Self.check(message, requests[place].operation) } catch { failures.append((place, error)) }
            }
        }
        return failures
    }

    /// Requests several objects; nil for objects that do not exist, or that the kernel does not report.
    ///
    /// - Parameter absent: errno values that mean absence.
    package func get(all requests: [NetlinkRequest], absent: [Int32]) throws(NetlinkError) -> [Message?] {
        var answers = [Message?](repeating: nil, count: requests.count)
        for batch in try batches(requests) {
            do throws(NetlinkError) {
                try exchange(batch, requests) { (place, message) throws(NetlinkError) in
                    guard Int32(message.type) == NLMSG_ERROR else { return answers[place] = message }
                    do throws(NetlinkError) { try Self.check(message, requests[place].operation) } catch {
                        if !absent.contains(error.code) { throw error }
                    }
                }
            } catch {
                // The answers exceeded the socket's receive buffer.
                guard [ENOBUFS, EAGAIN].contains(error.code), batch.places.count > 1 else { throw error }
                try discard(error.step)
                for place in batch.places { answers[place] = try get(all: [requests[place]], absent: absent)[0] }
            }
        }
        return answers
    }

    /// Sends a batch, and passes on its answers with the positions of their requests, up to the last acknowledgement.
    private func exchange(
        _ batch: RequestBatch, _ requests: [NetlinkRequest], _ take: (Int, Message) throws(NetlinkError) -> Void
    ) throws(NetlinkError) {
        let operation = requests[batch.places.upperBound - 1].operation
        try send(batch, operation)
        while true {
            for message in try receive(batch, operation) {
                if let place = batch.place(of: message) { try take(place, message) }
                if batch.isEnd(message) { return }
            }
        }
    }

    // MARK: The wire

    private func batches(_ requests: [NetlinkRequest], isAcknowledged: Bool = true) throws(NetlinkError) -> [RequestBatch] {
        let batches = try RequestBatch.list(requests, firstSequence: sequence &+ 1, isAcknowledged: isAcknowledged)
        sequence &+= UInt32(truncatingIfNeeded: requests.count)
        return batches
    }

    private func send(_ batch: RequestBatch, _ operation: String) throws(NetlinkError) {
        do throws(SystemError) {
            try checked("send", "netlink socket") {
                // SAFETY: the call reads no more than the count.
                unsafe Glibc.send(descriptor.raw, batch.bytes, batch.bytes.count, 0)
            }
        } catch { throw NetlinkError(operation, error) }
    }

    /// Receives the available answers to a batch: at least one message.
    private func receive(_ batch: RequestBatch, _ operation: String) throws(NetlinkError) -> [Message] {
        let deadline = Deadline.after(timeout)
        while true {
            var answers: [Message] = []
            for datagram in try receive(operation) ?? [] {
                guard let messages = Message.list(datagram[...]) else {
                    throw NetlinkError(operation, code: EPROTO, cause: "the kernel's answer is malformed")
                }
                answers += messages.filter { batch.place(of: $0) != nil }
            }
            if !answers.isEmpty { return answers }
            if deadline.hasPassed { throw NetlinkError(operation, code: ETIMEDOUT, cause: "the kernel has not answered within \(timeout)") }
            do throws(SystemError) { _ = try Poller.readable([descriptor], until: deadline) } catch {
                throw NetlinkError(operation, error)
            }
        }
    }

    private func receive(_ operation: String) throws(NetlinkError) -> [[UInt8]]? {
        do throws(SystemError) { return try buffer.receive(from: descriptor) } catch { throw NetlinkError(operation, error) }
    }

    /// Receives and drops all answers, and lets a dump in progress end.
    private func discard(_ operation: String) throws(NetlinkError) {
        while true {
            do throws(NetlinkError) { if try receive(operation) == nil { return } } catch { if error.code != ENOBUFS { throw error } }
        }
    }

    /// Throws the failure in an acknowledgement or the end of a dump.
    private static func check(_ message: Message, _ operation: String) throws(NetlinkError) {
        guard let acknowledgement = Acknowledgement(message) else {
            throw NetlinkError(operation, code: EPROTO, cause: "the kernel's acknowledgement is malformed")
        }
        if acknowledgement.code != 0 { throw NetlinkError(operation, code: acknowledgement.code, cause: acknowledgement.text) }
    }
}
