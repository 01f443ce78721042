<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="text"/>
<xsl:template match="text()"/><xsl:template match="title" priority="2">T:<xsl:value-of select="."/>;<xsl:apply-templates select="following-sibling::*[1]" mode="next"/></xsl:template>
<xsl:template match="section/title" priority="1">never</xsl:template><xsl:template match="*" mode="next">next=<xsl:value-of select="name()"/> id=<xsl:value-of select="count(ancestor::*)"/><xsl:text>&#xA;</xsl:text></xsl:template>
</xsl:stylesheet>
