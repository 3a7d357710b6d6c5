// Package pattern is the content that the benchmark's connectors make up.
package pattern

// Block is repeated to any length: the byte at offset o of an object is Block[o % len(Block)].
var Block = func() []byte {
	block := make([]byte, 1<<20)
	for i := range block {
		block[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return block
}()
