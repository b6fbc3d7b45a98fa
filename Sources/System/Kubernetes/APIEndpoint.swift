// SPDX-License-Identifier: Apache-2.0

package import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOSSL

/// Where the API server is, and who we are there.
package struct APIEndpoint: Sendable {
    /// A file, or its contents.
    package enum Material: Hashable, Sendable {
        case file(String)
        case bytes([UInt8])

        func read(_ what: String) throws(Unusable) -> [UInt8] {
            switch self {
            case .bytes(let bytes): return bytes
            case .file(let path):
                guard let data = try? Data(contentsOf: URL(filePath: path)) else {
                    throw Unusable(description: "\(what): \(path) cannot be read")
                }
                return [UInt8](data)
            }
        }
    }

    /// What is given cannot be used: what, and what would be right.
    package struct Unusable: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String
    }

    /// Scheme, host and port, without a final slash.
    package var url: String
    /// The bearer token. A file is read for every request, since the kubelet replaces it.
    package var token: Material?
    /// Certificates that the server's is checked against; nil: those of the system.
    package var authority: Material?
    /// A certificate of our own and its key, both as PEM.
    package var certificate: Material?
    package var key: Material?
    /// Where the server really is, when the URL has the name that is in its certificate.
    package var address: String?

    package init(url: String, tokenFile: String? = nil, caFile: String? = nil) {
        self.url = url.hasSuffix("/") ? String(url.dropLast()) : url
        token = tokenFile.map { .file($0) }
        authority = caFile.map { .file($0) }
    }

    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// What the kubelet gives every pod; nil outside of one.
    package static func inCluster(_ environment: [String: String]) -> APIEndpoint? {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"] else {
            return nil
        }
        let name = host.contains(":") ? "[\(host)]" : host
        return APIEndpoint(url: "https://\(name):\(port)", tokenFile: folder + "/token", caFile: folder + "/ca.crt")
    }

    func bearerToken() throws(APIError) -> String? {
        guard let token else { return nil }
        do throws(Unusable) {
            let text = String(decoding: try token.read("the token"), as: UTF8.self)
            return String(text.prefix { !$0.isWhitespace })
        } catch {
            throw APIError("read the token for", url, status: 0, reason: "NoToken", message: error.description)
        }
    }

    /// How an HTTP client has to be set up for this server.
    ///
    /// - Parameter limit: how many connections there can be at a time: what is beyond it waits its turn here, not at the server.
    package func configuration(limit: Int = 8) throws(Unusable) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        // APIClient tries again by itself, and says why it has to.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = limit
        // A watch that the server has not ended by now is one whose connection died silently.
        configuration.timeout.read = .minutes(11)
        var tls = TLSConfiguration.makeClientConfiguration()
        do {
            if let authority {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(try authority.read("the certificates of the API server")))
            }
            if let certificate {
                tls.certificateChain = try NIOSSLCertificate.fromPEMBytes(try certificate.read("our certificate")).map { .certificate($0) }
            }
            if let key { tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: try key.read("our key"), format: .pem)) }
        } catch let error as Unusable {
            throw error
        } catch {
            throw Unusable(description: "the certificates or the key for \(url) are no PEM: \(error)")
        }
        configuration.tlsConfiguration = tls
        if let address, let host = URLComponents(string: url)?.host { configuration.dnsOverride = [host: address] }
        return configuration
    }
}
