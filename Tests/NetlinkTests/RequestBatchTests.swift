// SPDX-License-Identifier: Apache-2.0

import Netlink
import Testbed
import Testing

struct RequestBatchTests {
    private static let acknowledge: UInt16 = 4  // NLM_F_ACK

    /// A request with this number of bytes on the wire, including the header.
    private static func request(_ size: Int, _ name: String = "r") -> NetlinkRequest {
        NetlinkRequest(name, type: 24, flags: 0x400, payload: [UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size - 16))
    }

    /// Checks rules of all lists of batches, and returns the number of requests in each.
    private static func check(_ sizes: [Int], first: UInt32 = 7, at place: SourceLocation = #_sourceLocation) throws -> [Int] {
        let requests = sizes.map { request($0) }
        let batches = try RequestBatch.list(requests, firstSequence: first)
        #expect(batches.flatMap(\.places) == Array(requests.indices), "each request once, in order", sourceLocation: place)
        var sequence = first
        for batch in batches {
            let messages = try #require(Message.list(batch.bytes[...]), sourceLocation: place)
            #expect(messages.count == batch.places.count && messages.count <= 64, sourceLocation: place)
            #expect(batch.bytes.count <= 16384 || messages.count == 1, sourceLocation: place)
            for (index, message) in zip(batch.places, messages) {
                let isLast = index == batch.places.upperBound - 1
                #expect(message.flags & acknowledge == (isLast ? acknowledge : 0), "the last alone", sourceLocation: place)
                #expect(message.flags & 0x401 == 0x401 && message.type == 24, sourceLocation: place)
                #expect(Array(message.payload) == requests[index].payload, sourceLocation: place)
                #expect(message.sequence == sequence && batch.place(of: message) == index, sourceLocation: place)
                sequence &+= 1
            }
        }
        return batches.map(\.places.count)
    }

    @Test
    func `an empty list gives no batches`() throws { #expect(try Self.check([]).isEmpty) }

    @Test(arguments: [
        (1, [1]), (63, [63]), (64, [64]), (65, [64, 1]), (127, [64, 63]), (128, [64, 64]), (129, [64, 64, 1]),
        (500, [64, 64, 64, 64, 64, 64, 64, 52]),
    ])
    func `a batch has at most 64 small requests`(count: Int, batches: [Int]) throws {
        #expect(try Self.check([Int](repeating: 40, count: count)) == batches)
    }

    @Test(arguments: [(15, [15]), (16, [16]), (17, [16, 1]), (32, [16, 16]), (33, [16, 16, 1])])
    func `a batch has at most 16 KiB of equal requests`(count: Int, batches: [Int]) throws {
        #expect(try Self.check([Int](repeating: 1024, count: count)) == batches)
    }

    @Test(arguments: [(1020, [17]), (1021, [17]), (1024, [17]), (1025, [16, 1]), (1028, [16, 1])])
    func `padding counts towards the limit of a batch of mixed sizes`(last: Int, batches: [Int]) throws {
        // 15 requests of 1024 bytes and one of 1008 leave 16 bytes less than the last one may have.
        let sizes = [Int](repeating: 1024, count: 14) + [1000, 24] + [last]
        #expect(try Self.check(sizes) == batches)
    }

    @Test
    func `a request of more than 16 KiB is sent alone`() throws {
        #expect(try Self.check([16383]) == [1])
        #expect(try Self.check([40, 16384, 40]) == [1, 1, 1])
        #expect(try Self.check([40, 40, 16388, 40, 65536, 65536, 40, 40]) == [2, 1, 1, 1, 1, 2])
    }

    @Test
    func `a request of more than 64 KiB is refused by its name, before any other request is sent`() throws {
        let error = #expect(throws: NetlinkError.self) {
            try RequestBatch.list([Self.request(40), Self.request(65537, "add names")], firstSequence: 1)
        }
        #expect(error?.code == 90 && error?.step == "add names", "EMSGSIZE")
    }

    @Test
    func `batches of mixed sizes keep all limits`() throws {
        var noise = Noise()
        for _ in 0..<300 {
            let sizes = (0..<Int.random(in: 1...300, using: &noise)).map { _ in
                Int.random(in: 0..<20, using: &noise) == 0
                    ? Int.random(in: 16...20000, using: &noise) : Int.random(in: 16...600, using: &noise)
            }
            _ = try Self.check(sizes, first: .random(in: 0 ... .max, using: &noise))
        }
    }

    @Test
    func `sequence numbers wrap around, and answers to other requests have no position`() throws {
        #expect(try Self.check([Int](repeating: 40, count: 10), first: .max - 3) == [10])
        let batch = try #require(try RequestBatch.list([Self.request(40), Self.request(40)], firstSequence: .max).first)
        func answer(_ type: UInt16, _ sequence: UInt32) -> Message { Message(type: type, flags: 0, sequence: sequence, payload: []) }
        #expect(batch.place(of: answer(2, .max)) == 0 && batch.place(of: answer(2, 0)) == 1)
        #expect(batch.place(of: answer(2, .max - 1)) == nil && batch.place(of: answer(2, 1)) == nil)
        // NLMSG_ERROR of the last request ends the batch; that of another request, and other messages, do not.
        #expect(batch.isEnd(answer(2, 0)) && !batch.isEnd(answer(2, .max)) && !batch.isEnd(answer(16, 0)) && !batch.isEnd(answer(2, 1)))
    }

    @Test
    func `a dump has no acknowledgement, because its end is one`() throws {
        let batch = try #require(try RequestBatch.list([Self.request(40)], firstSequence: 1, isAcknowledged: false).first)
        #expect(try #require(Message.list(batch.bytes[...])?.first).flags & Self.acknowledge == 0)
    }
}
