// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// Encodes a value as Foundation's encoder does with default strategies.
    ///
    /// - Throws: `EncodingError` for a number that JSON cannot represent, or the type's own errors.
    package init(encoding value: some Encodable) throws {
        let node = JSONNode()
        try value.encode(to: JSONEncoding(node, []))
        self = node.value
    }
}

/// A place in the encoded value, shared by containers.
private final class JSONNode {
    private enum Content {
        case leaf(JSONValue)
        case object([String: JSONNode])
        case array([JSONNode])
    }

    private var content: Content?

    /// The encoded value; an empty object if nothing was encoded.
    var value: JSONValue {
        switch content {
        case nil: .object([:])
        case .leaf(let value): value
        case .object(let members): .object(members.mapValues(\.value))
        case .array(let elements): .array(elements.map(\.value))
        }
    }

    var count: Int { if case .array(let elements) = content { elements.count } else { 0 } }

    func set(_ value: JSONValue) { content = .leaf(value) }

    func makeObject() { if case .object = content {} else { content = .object([:]) } }

    func makeArray() { if case .array = content {} else { content = .array([]) } }

    func member(_ name: String) -> JSONNode {
        let node = JSONNode()
        guard case .object(var members) = content else {
            content = .object([name: node])
            return node
        }
        content = nil
        members[name] = node
        content = .object(members)
        return node
    }

    func element() -> JSONNode {
        let node = JSONNode()
        guard case .array(var elements) = content else {
            content = .array([node])
            return node
        }
        content = nil
        elements.append(node)
        content = .array(elements)
        return node
    }
}

/// An encoder of one value, with the keys and indices that lead to it.
private struct JSONEncoding: Encoder {
    let node: JSONNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    init(_ node: JSONNode, _ codingPath: [any CodingKey]) {
        self.node = node
        self.codingPath = codingPath
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.makeObject()
        return KeyedEncodingContainer(JSONMembers(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.makeArray()
        return JSONElements(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    private func set(_ value: some BinaryInteger) {
        if let integer = Int64(exactly: value) {
            node.set(.integer(integer))
        } else {
            node.set(.unsigned(UInt64(truncatingIfNeeded: value)))
        }
    }
}

extension JSONEncoding: SingleValueEncodingContainer {
    func encodeNil() { node.set(.null) }
    func encode(_ value: Bool) { node.set(.bool(value)) }
    func encode(_ value: String) { node.set(.string(value)) }
    func encode(_ value: Float) throws { try encode(Double(value)) }
    func encode(_ value: Double) throws {
        guard value.isFinite else {
            throw EncodingError.invalidValue(value, .init(codingPath: codingPath, debugDescription: "JSON has no such number"))
        }
        node.set(.number(value))
    }
    func encode(_ value: Int) { set(value) }
    func encode(_ value: Int8) { set(value) }
    func encode(_ value: Int16) { set(value) }
    func encode(_ value: Int32) { set(value) }
    func encode(_ value: Int64) { set(value) }
    func encode(_ value: UInt) { set(value) }
    func encode(_ value: UInt8) { set(value) }
    func encode(_ value: UInt16) { set(value) }
    func encode(_ value: UInt32) { set(value) }
    func encode(_ value: UInt64) { set(value) }
    func encode(_ value: some Encodable) throws { try value.encode(to: self) }
}

/// The members of an object.
private struct JSONMembers<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: JSONNode
    let codingPath: [any CodingKey]

    private func encoder(_ key: some CodingKey) -> JSONEncoding { JSONEncoding(node.member(key.stringValue), codingPath + [key]) }

    func encodeNil(forKey key: Key) { encoder(key).encodeNil() }
    func encode(_ value: some Encodable, forKey key: Key) throws { try value.encode(to: encoder(key)) }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) -> KeyedEncodingContainer<Nested> {
        encoder(key).container(keyedBy: type)
    }
    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder(JSONKey(stringValue: "super")) }
    func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }
}

/// The elements of a list in order.
private struct JSONElements: UnkeyedEncodingContainer {
    let node: JSONNode
    let codingPath: [any CodingKey]

    var count: Int { node.count }

    private func encoder() -> JSONEncoding {
        let path = codingPath + [JSONKey(intValue: count)]
        return JSONEncoding(node.element(), path)
    }

    func encodeNil() { encoder().encodeNil() }
    func encode(_ value: some Encodable) throws { try value.encode(to: encoder()) }
    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder().container(keyedBy: type)
    }
    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }
    func superEncoder() -> any Encoder { encoder() }
}
