// SPDX-License-Identifier: Apache-2.0
// SwiftPM wants a source file in each C target; everything is in the header.
