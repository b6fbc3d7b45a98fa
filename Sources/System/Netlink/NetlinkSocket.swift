// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
package import Linux

/// A socket for requests to the kernel, bound to the namespace of the thread that opened it.
///
/// The kernel does requests within send(2), and has then queued the answers to all of them, or the first part of a dump. So an answer
/// that is not there is the exception: it is waited for until the time-out, which is an error. After any error the socket can be
/// used again; answers that come late are passed over by their sequence numbers.
///
/// Not safe for use by two threads at once: a request and its answer belong together.
package final class NetlinkSocket {
    package let descriptor: Descriptor
    private let buffer: ReceiveBuffer
    private let timeout: Duration
    private var sequence: UInt32 = 0

    /// The number of attempts at a dump that is interrupted each time.
    private static let dumpAttempts = 10
    /// Bytes of answers that the kernel keeps for the socket.
    private static let receiveBufferSize: Int32 = 4 << 20

    /// - Parameters:
    ///   - forDumps: true when large tables are read, for which the socket gets a larger receive buffer.
    ///   - other: a socket that is never used at the same time; the memory for answers is shared with it.
    ///   - timeout: time without any part of an answer after which a request has failed.
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
            // Old kernels do not have all of them; requests work without.
            try? descriptor.set(Int32(option), of: SOL_NETLINK, to: 1 as Int32)
        }
        guard forDumps else { return }
        // A dump of a large table comes in bursts. Without CAP_NET_ADMIN net.core.rmem_max is the bound.
        for option in [SO_RCVBUFFORCE, SO_RCVBUF] where (try? descriptor.set(option, to: Self.receiveBufferSize)) != nil { return }
    }

    // MARK: One request

    /// Sends a request and waits for its acknowledgement.
    package func execute(
        _ operation: @autoclosure () -> String, type: Int, flags: Int32 = 0, payload: [UInt8]
    ) throws(NetlinkError) {
        try transact(NetlinkRequest(operation(), type: type, flags: flags, payload: payload)) { _ in }
    }

    /// Asks for one object.
    package func get(
        _ operation: @autoclosure () -> String, type: Int, payload: [UInt8]
    ) throws(NetlinkError) -> Message {
        let request = NetlinkRequest(operation(), type: type, payload: payload)
        var answer: Message?
        try transact(request) { answer = answer ?? $0 }
        guard let answer else { throw NetlinkError(request.operation, code: EPROTO, cause: "the kernel's answer is empty") }
        return answer
    }

    /// Asks for all objects of a kind.
    package func dump(_ operation: @autoclosure () -> String, type: Int, payload: [UInt8]) throws(NetlinkError) -> [Message] {
        try dump(operation(), type: type, payload: payload) { $0 }
    }

    /// Asks for all objects of a kind, and keeps the values that the closure makes of them. A dump whose table changes meanwhile is
    /// begun anew.
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
                // An earlier dump that was abandoned is still in progress; the kernel goes on with it as answers are received.
                guard error.code == EBUSY else { throw error }
                failure = error
                try discard(request.operation)
                continue
            }
            if !isInterrupted { return values }
        }
        throw failure
    }

    /// Sends one request. The closure gets the messages before the acknowledgement, and the end of a dump.
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

    /// Sends all requests, in batches; the kernel does them one after the other, also behind one that fails. Only the last of each batch
    /// is acknowledged, so a batch that succeeds costs two system calls however long it is.
    ///
    /// - Returns: the failures, with the places of their requests.
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

    /// Asks for several objects together; nil for those that the kernel says are not there, or says nothing of.
    ///
    /// - Parameter absent: errno values that say so.
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
                // The answers were too large for the socket's receive buffer all at once.
                guard [ENOBUFS, EAGAIN].contains(error.code), batch.places.count > 1 else { throw error }
                try discard(error.step)
                for place in batch.places { answers[place] = try get(all: [requests[place]], absent: absent)[0] }
            }
        }
        return answers
    }

    /// Sends a batch, and hands over its answers with the places of their requests, up to the last acknowledgement.
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

    /// Receives the answers to a batch that have arrived: at least one message.
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

    /// Throws the failure that an acknowledgement or the end of a dump reports.
    private static func check(_ message: Message, _ operation: String) throws(NetlinkError) {
        guard let acknowledgement = Acknowledgement(message) else {
            throw NetlinkError(operation, code: EPROTO, cause: "the kernel's acknowledgement is malformed")
        }
        if acknowledgement.code != 0 { throw NetlinkError(operation, code: acknowledgement.code, cause: acknowledgement.text) }
    }
}
