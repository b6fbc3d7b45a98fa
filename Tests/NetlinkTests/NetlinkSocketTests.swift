// SPDX-License-Identifier: Apache-2.0

import Glibc
import Linux
import Netlink
import NetworkModel
import Testbed
import Testing

/// The netlink socket with the kernel, in separate namespaces.
@Suite(.enabled(if: Place.canUseNamespaces, "\(Place.rootReason)"))
struct NetlinkSocketTests {
    private struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs on a thread in a new namespace, whose loopback is up.
    private func inNamespace<Value>(_ body: @escaping () throws -> Value) throws -> Value {
        let namespace = try NetworkNamespace.make()
        return try namespace.run { () throws(Failure) in
            do {
                let socket = try NetlinkSocket()
                if let loopback = try socket.link(named: "lo") { try socket.change(loopback.index, LinkChange(isUp: true), "bring it up") }
                return try body()
            } catch { throw Failure(description: "\(error)") }
        } entering: {
            Failure(description: "\($0)")
        }
    }

    // MARK: Lost answers

    /// struct sock_filter and struct sock_fprog (linux/filter.h).
    private struct Instruction {
        var code: UInt16, onTrue: UInt8 = 0, onFalse: UInt8 = 0
        var value: UInt32
    }
    private struct Program {
        var count: UInt16
        var instructions: UnsafePointer<Instruction>?
    }

    /// Drops every answer of the kernel to a socket: a program that returns 0 bytes (BPF_RET).
    private func loseAnswers(_ socket: NetlinkSocket) {
        let drop = [Instruction(code: 0x06, value: 0)]
        drop.withUnsafeBufferPointer { instructions in
            var program = Program(count: 1, instructions: instructions.baseAddress)
            let size = socklen_t(MemoryLayout<Program>.size)
            #expect(setsockopt(socket.descriptor.raw, SOL_SOCKET, SO_ATTACH_FILTER, &program, size) == 0)
        }
    }

    private func keepAnswers(_ socket: NetlinkSocket) {
        var none: Int32 = 0
        #expect(setsockopt(socket.descriptor.raw, SOL_SOCKET, SO_DETACH_FILTER, &none, 4) == 0)
    }

    @Test
    func `a lost answer is an error with the request's name, and the socket stays usable`() throws {
        try inNamespace {
            let socket = try NetlinkSocket(timeout: .milliseconds(100))
            func expectTimeout(_ operation: String, _ body: () throws(NetlinkError) -> Void) {
                let error = #expect(throws: NetlinkError.self) { try body() }
                #expect(error == NetlinkError(operation, code: ETIMEDOUT, cause: "the kernel has not answered within 0.1 seconds"))
            }
            for _ in 0..<2 {
                loseAnswers(socket)
                expectTimeout("look up interface lo") { () throws(NetlinkError) in _ = try socket.link(named: "lo") }
                expectTimeout("delete interface 999") { () throws(NetlinkError) in try socket.deleteLink(999) }
                let requests = (1...100).map { NetlinkRequest.deleteLink(Int32($0 + 900), "delete \($0)") }
                // The first batch ends with request 64.
                expectTimeout("delete 64") { () throws(NetlinkError) in _ = try socket.execute(all: requests) }
                expectTimeout("look up interface lo") { () throws(NetlinkError) in
                    _ = try socket.get(all: [.link(named: "lo")], absent: [])
                }
                expectTimeout("list interfaces") { () throws(NetlinkError) in _ = try socket.links() }
                keepAnswers(socket)
                #expect(try socket.links().map(\.name) == ["lo"], "also with a dump that was not read to its end")
                #expect(try socket.link(named: "lo")?.name == "lo")
                #expect(try socket.execute(all: requests).map(\.error.code) == [Int32](repeating: ENODEV, count: 100))
            }
        }
    }

    @Test
    func `a late answer to an earlier request is not taken for the answer to a later one`() throws {
        try inNamespace {
            let socket = try NetlinkSocket()
            // The kernel answers with a link, and with success.
            let late = Message(type: 18, flags: 5, sequence: 0x7fff_0000, payload: NetlinkRequest.link(named: "lo").payload).bytes
            for _ in 0..<6 { #expect(late.withUnsafeBytes { send(socket.descriptor.raw, $0.baseAddress, $0.count, 0) } == late.count) }
            #expect(try socket.link(named: "none") == nil)
            for _ in 0..<6 { _ = late.withUnsafeBytes { send(socket.descriptor.raw, $0.baseAddress, $0.count, 0) } }
            #expect(try socket.execute(all: [.deleteLink(999, "delete it")]).map(\.error.code) == [ENODEV])
            for _ in 0..<6 { _ = late.withUnsafeBytes { send(socket.descriptor.raw, $0.baseAddress, $0.count, 0) } }
            #expect(try socket.addresses().map(\.prefix.description).contains("127.0.0.1/8"))
        }
    }

    @Test
    func `an answer sent by another process is ignored`() throws {
        try inNamespace {
            let socket = try NetlinkSocket()
            // struct sockaddr_nl: family, padding, port, groups.
            var address: (UInt16, UInt16, UInt32, UInt32) = (0, 0, 0, 0)
            var size = socklen_t(12)
            // A socket gets a port when it first sends.
            _ = try socket.link(named: "lo")
            let port = withUnsafeMutableBytes(of: &address) { bytes -> Int32 in
                guard let start = bytes.baseAddress else { return -1 }
                return getsockname(socket.descriptor.raw, start.assumingMemoryBound(to: sockaddr.self), &size)
            }
            #expect(port == 0 && address.2 != 0)
            let other = try NetlinkSocket()
            // NLMSG_ERROR with the code 0 is success; its sequence number is that of the next request.
            let forged = Message(type: 2, flags: 0, sequence: 2, payload: [UInt8](repeating: 0, count: 20)).bytes
            let sent = withUnsafeBytes(of: &address) { bytes -> Int in
                guard let start = bytes.baseAddress else { return -1 }
                return forged.withUnsafeBytes {
                    sendto(other.descriptor.raw, $0.baseAddress, $0.count, 0, start.assumingMemoryBound(to: sockaddr.self), 12)
                }
            }
            #expect(sent == forged.count, "errno \(errno)")
            let error = #expect(throws: NetlinkError.self) { try socket.deleteLink(999) }
            #expect(error?.code == ENODEV)
        }
    }

    // MARK: Many and large

    @Test
    func `any number of requests is processed, and each refusal has its position and reason`() throws {
        try inNamespace {
            let socket = try NetlinkSocket(forDumps: false)
            for count in [63, 64, 65, 128, 600] {
                let requests = try (0..<count).map { index in
                    let address = try #require(IPAddress(bytes: [10, 9, UInt8(index / 200), UInt8(index % 200 + 1)]))
                    // Every third request is for an interface that does not exist.
                    return NetlinkRequest.set(
                        InterfaceAddress(index: index % 3 == 2 ? 999 : 1, prefix: IPPrefix(address: address, length: 32)))
                }
                let failures = try socket.execute(all: requests)
                #expect(failures.map(\.index) == (0..<count).filter { $0 % 3 == 2 })
                #expect(failures.allSatisfy { $0.error.code == ENODEV && $0.error.step == requests[$0.index].operation })
                #expect(try NetlinkSocket().addresses(of: 1).count { $0.prefix.description.hasPrefix("10.9.") } == count - count / 3)
            }
            // All requests are refused with the kernel's longest messages.
            let refused = (0..<600).map { NetlinkRequest.deleteLink(1, "delete the loopback, \($0)") }
            let failures = try socket.execute(all: refused)
            #expect(failures.map(\.error.code) == [Int32](repeating: EOPNOTSUPP, count: 600), "\(failures.first?.error.description ?? "")")
        }
    }

    @Test
    func `a link with 64 KiB of names is read, in a dump and by its name, alone and with others`() throws {
        try inNamespace {
            let socket = try NetlinkSocket()
            let names = (0..<40).map { "v\($0)" }
            for name in names { try socket.addLink(name, kind: "veth") }
            let all = try socket.links()
            #expect(all.count == 81)
            // 20 requests with 1.3 MiB, more than a socket may buffer without CAP_NET_ADMIN.
            for (place, name) in names.prefix(20).enumerated() {
                guard let link = all.first(where: { $0.name == name }) else { continue }
                let alternative = (0..<496).map { "\(place)-\($0)-".padding(to: 124) }
                let request = NetlinkRequest.addAlternativeNames(alternative, to: link.index)
                #expect(try socket.execute(all: [request]).isEmpty)
                #expect(try socket.link(index: link.index)?.alternativeNames == alternative)
            }
            #expect(try socket.links().count { $0.alternativeNames.count == 496 } == 20)
            let small = try NetlinkSocket(forDumps: false)
            #expect(try small.links().count == 81)
            for socket in [socket, small] {
                let answers = try socket.get(all: (names + ["none"]).map(NetlinkRequest.link), absent: [ENODEV])
                #expect(answers.map { $0.flatMap(Link.init)?.name } == names + [nil])
            }
            let events = try EventSocket.links()
            for name in names.prefix(20) {
                guard let link = all.first(where: { $0.name == name }) else { continue }
                try socket.change(link.index, LinkChange(mtu: 1400), "change it")
            }
            #expect(events.drain { _ in false }, "what is too large to be seen, or was dropped, counts")
            #expect(!events.drain { _ in true }, "all was taken")
        }
    }

    @Test
    func `a dump of one interface equals its part of the dump of all interfaces`() throws {
        try inNamespace {
            let socket = try NetlinkSocket()
            try socket.addLink("a", kind: "veth")
            var links: [Link] = []
            for link in try socket.links() where link.kind == "veth" {
                try socket.change(link.index, LinkChange(isUp: true), "bring it up")
                links.append(link)
            }
            let (first, second) = (try #require(links.first), try #require(links.last))
            var requests: [NetlinkRequest] = []
            for (net, link) in [(UInt8(1), first), (2, second)] {
                let own = try #require(IPAddress(bytes: [10, net, 0, 1]))
                requests.append(.set(InterfaceAddress(index: link.index, prefix: IPPrefix(address: own, length: 24))))
                let hardware = try #require(HardwareAddress(parsing: "02:00:00:00:00:07"))
                let neighbour = try #require(IPAddress(bytes: [10, net, 0, 7]))
                requests.append(.set(Neighbour(index: link.index, address: neighbour, hardwareAddress: hardware)))
                for table: UInt32 in [254, 77] {
                    for byte in 0..<100 {
                        let prefix = IPPrefix(parsing: "172.16.\(byte).\(net)/32")
                        var route = Route(destination: prefix, isV6: false, gateway: neighbour, interface: link.index)
                        route.table = table
                        requests.append(.set(route))
                        var sixth = Route(
                            destination: IPPrefix(parsing: "fd00:\(net)::\(byte)/128"), isV6: true, gateway: nil, interface: link.index)
                        sixth.table = table
                        requests.append(.set(sixth))
                    }
                }
            }
            let failures = try socket.execute(all: requests)
            #expect(failures.isEmpty, "\(failures.first?.error.description ?? "")")
            let here = try NetworkNamespace.current()
            let words = ["route", "add", "192.168.0.0/16", "nexthop", "via", "10.1.0.7", "nexthop", "via", "10.2.0.7"]
            let added = try ChildProcess.run("/sbin/ip", words, in: here)
            #expect(added.status == 0, "\(added.output)")
            let (addresses, routes, neighbours) = (try socket.addresses(), try socket.routes(), try socket.neighbours())
            #expect(routes.count > 800)
            for link in [first, second] {
                #expect(try socket.addresses(of: link.index) == addresses.filter { $0.index == link.index })
                #expect(try socket.neighbours(of: link.index) == neighbours.filter { $0.index == link.index })
                let own = try socket.routes(of: link.index)
                #expect(own == routes.filter { $0.interfaces.contains(link.index) } && own.count > 400)
                #expect(own.contains { $0.nextHops == [first.index, second.index] }, "a route by both is a route of each")
            }
            let addressError = #expect(throws: NetlinkError.self) { try socket.addresses(of: 999) }
            let routeError = #expect(throws: NetlinkError.self) { try socket.routes(of: 999) }
            #expect(addressError?.code == ENODEV && routeError?.code == ENODEV)
        }
    }
}

extension String {
    fileprivate func padding(to count: Int) -> String { self + String(repeating: "x", count: count - utf8.count) }
}
