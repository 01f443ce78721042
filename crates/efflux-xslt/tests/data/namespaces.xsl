<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:s="urn:shop" xmlns:t="urn:target" exclude-result-prefixes="s">
<xsl:output method="xml" omit-xml-declaration="yes"/><xsl:namespace-alias stylesheet-prefix="t" result-prefix="#default"/>
<xsl:template match="/"><t:notes xmlns:i="urn:inner"><xsl:for-each select="//s:note"><i:note xml:space="preserve"><xsl:value-of select="."/></i:note><xsl:copy-of select="."/><xsl:element name="p:made" namespace="urn:made"><xsl:attribute name="q:a" namespace="urn:q">v</xsl:attribute></xsl:element></xsl:for-each></t:notes></xsl:template>
</xsl:stylesheet>
